import type { Command } from "commander";
import type { Usage } from "@messagepasser/protocol/admin";
import { AdminApi } from "../admin-api.ts";
import { print, printJson } from "../output.ts";
import { type AdminFlags, withAdminFlags } from "../settings.ts";

interface Flags extends AdminFlags {
  readonly json?: true;
}

/** Cloudflare bills this many incoming WebSocket messages as one request. */
const messagesPerRequest = 20;

/** Adds `mp usage`. */
export function addUsage(program: Command): void {
  withAdminFlags(program.command("usage"))
    .description("print what the realm has used (needs the admin token or the read-only one)")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExamples:\n  mp usage\n  mp usage --json | jq .messagesIn")
    .action(async (flags: Flags) => {
      const usage = await (await AdminApi.of(flags)).usage();
      await (flags.json ? printJson(usage) : print(...linesOf(usage)));
    });
}

function linesOf(usage: Usage): string[] {
  const { upgrades, tickets, adminCalls, alarms, calls, callMessages } = usage;
  const messages = usage.messagesIn + callMessages;
  const requests = upgrades + tickets + adminCalls + alarms + calls + Math.ceil(messages / messagesPerRequest);
  const lines: [what: string, value: string | number][] = [
    ["since", usage.since],
    ["WebSocket messages in", usage.messagesIn],
    ["of them after a link was closed", usage.messagesAfterClose],
    ["bytes in", usage.bytesIn],
    ["WebSocket messages out", usage.messagesOut],
    ["bytes out", usage.bytesOut],
    ["clients admitted or refused", upgrades],
    ["tickets for pages", tickets],
    ["calls to the admin API", adminCalls],
    ["alarms", alarms],
    ["calls between shards", calls],
    ["WebSocket messages between shards", callMessages],
    ["requests without heartbeats", requests],
    ["wakes", usage.wakes],
    ["seconds awake, at most", Math.round(usage.awakeMs / 1_000)],
    ["seconds asleep, at least", Math.round(usage.asleepMs / 1_000)],
  ];
  if (usage.unclosed.length > 0)
    lines.push(["clients that ignore a close", usage.unclosed.map((name) => JSON.stringify(name)).join(" ")]);
  return lines.map(([what, value]) => `${what.padEnd(36)}${value}`);
}
