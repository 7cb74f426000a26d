import type { Command } from "commander";
import { AdminApi } from "../admin-api.ts";
import { note, printJson } from "../output.ts";
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
}
