import { routerLimits } from "@messagepasser/protocol";
import type { Command } from "commander";
import { AdminApi } from "../admin-api.ts";
import { countUpTo } from "../counts.ts";
import { note, print, printJson } from "../output.ts";
import { type AdminFlags, adminSettings, withAdminFlags } from "../settings.ts";

interface Flags extends AdminFlags {
  readonly json?: true;
}

const examples = `
Ends every link of the realm, also those of clients that ignore that they were revoked: "mp usage" names them. All other
clients reconnect by themselves, and their Connections continue.

Examples:
  mp realm restart
  mp realm restart --realm staging --json`;

const shardExamples = `
Without a number, prints how many shards the realm has. With one, spreads a new realm over that many objects: once, before
it has clients. docs/scale.md says when that pays, and what works less well then.

Examples:
  mp realm shards
  mp realm shards 4 --realm fleet`;

/** Adds `mp realm`. */
export function addRealm(program: Command): void {
  const realm = program.command("realm").description("manage a realm (needs the admin token)").helpCommand(false);
  withAdminFlags(realm.command("restart"))
    .description("end every link of the realm; its clients reconnect")
    .option("--json", "print JSON")
    .addHelpText("after", examples)
    .action(async (flags: Flags) => {
      const settings = await adminSettings(flags);
      await new AdminApi(settings).restart();
      if (flags.json) await printJson({ realm: settings.realm, isRestarted: true });
      else note(`Restarted realm "${settings.realm}"`);
    });
  withAdminFlags(realm.command("shards"))
    .description("print how many shards the realm has, or give a new realm several")
    .argument("[count]", "how many, up to 64", countUpTo(routerLimits.maxShards))
    .option("--json", "print JSON")
    .addHelpText("after", shardExamples)
    .action(async (count: number | undefined, flags: Flags) => {
      const settings = await adminSettings(flags);
      const api = new AdminApi(settings);
      if (count !== undefined) await api.setShards(count);
      const shards = await api.shards();
      if (flags.json) await printJson({ realm: settings.realm, shards });
      else await print(String(shards));
    });
}
