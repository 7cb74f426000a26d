import type { Command } from "commander";
import { AdminApi } from "../admin-api.ts";
import { print, printableName, printJson } from "../output.ts";
import { type AdminFlags, withAdminFlags } from "../settings.ts";
import { countUpTo } from "../counts.ts";

interface Flags extends AdminFlags {
  readonly count: number;
  readonly json?: true;
}

/** Adds `mp audit`. */
export function addAudit(program: Command): void {
  withAdminFlags(program.command("audit"))
    .description("print the realm's audit trail, newest first (needs the admin token or the read-only one)")
    .option("-n, --count <count>", "the number of entries, 1 to 1000", countUpTo(1_000), 50)
    .option("--json", "print JSON")
    .addHelpText("after", "\nExamples:\n  mp audit\n  mp audit -n 1000 --json | jq '.[] | select(.name == \"alice\")'")
    .action(async (flags: Flags) => {
      const entries = await (await AdminApi.of(flags)).audit(flags.count);
      if (flags.json) await printJson(entries);
      else await print(...entries.map(({ at, who, what, name }) => [at, who, what, printableName(name)].join("  ")));
    });
}
