import { setTimeout as delay } from "node:timers/promises";
import { routerLimits } from "@messagepasser/protocol";
import { locations } from "@messagepasser/protocol/admin";
import { type Command, Option } from "commander";
import { AdminApi, type Layout } from "../admin-api.ts";
import { countUpTo } from "../counts.ts";
import { clearProgress, note, print, printJson, showProgress } from "../output.ts";
import { Failure, statuses } from "../status.ts";
import { noteUnconfirmed } from "../unconfirmed.ts";
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
Without a number, prints how many shards the realm has. With one, spreads the realm over that many objects, and waits until
that is done: if you end the command before, the realm grows all the same. Clients that move reconnect by themselves, and
their Connections continue. A realm never has fewer shards again. docs/scale.md says when shards pay.

Examples:
  mp realm shards
  mp realm shards 4 --realm fleet
  mp realm shards 4 --location weur`;

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
    .description("print how many shards the realm has, or give it more")
    .argument("[count]", "how many, up to 64", countUpTo(routerLimits.maxShards))
    .addOption(new Option("--location <hint>", "make new shards there (docs/scale.md)").choices(locations))
    .option("--json", "print JSON")
    .addHelpText("after", shardExamples)
    .action(async (count: number | undefined, { location, ...flags }: Flags & { readonly location?: string }) => {
      if (count === undefined && location !== undefined)
        throw new Failure(statuses.usage, "Say how many shards the realm shall have: --location is for new ones");
      const settings = await adminSettings(flags);
      const api = new AdminApi(settings);
      const layout = count === undefined ? await api.layout() : await grown(api, count, location);
      if (flags.json) await printJson({ realm: settings.realm, ...layout });
      else await print(String(layout.shards));
      noteUnconfirmed(layout);
    });
}

const pollMs = 250;

/** Makes the realm grow, and waits until it has. */
async function grown(api: AdminApi, count: number, location?: string): Promise<Layout> {
  try {
    for (let layout = await api.grow(count, location); ; layout = await api.layout()) {
      if (layout.target === null) return layout;
      clearProgress();
      showProgress(`${layout.shards} of ${layout.target} shards`);
      await delay(pollMs);
    }
  } finally {
    clearProgress();
  }
}
