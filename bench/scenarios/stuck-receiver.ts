import { setTimeout as delay } from "node:timers/promises";
import { Clients } from "../processes/clients.ts";
import { residentBytes, withWorkerdId } from "../processes/linux.ts";
import { startTraffic } from "../processes/traffic.ts";
import { startTrustingRouter } from "../processes/trusting-router.ts";
import type { Contender, Scenario } from "./scenario.ts";

const readers = 9;
const messageBytes = 1_024;
const [sender, stuck] = ["sender", "stuck"];
const flood = { routes: Array.from({ length: 24 }, () => ({ from: "flooder", to: stuck })), messageBytes: 16_384 };

/** One sender, ten receivers, one of them stuck: how fast are the other nine, and what does the router hold? */
export const stuckReceiver: Scenario = {
  name: "stuck-receiver",
  title: "1 KiB to nine receivers, beside a tenth",
  metrics: [
    { figure: "messagesPerSecond", title: "messages to the nine", unit: "/s" },
    { figure: "routerMebibytes", title: "router's memory", unit: "MiB" },
  ],
  contenders: [
    contender("beside", "that never reads", "unread"),
    contender("without", "that is idle", "idle"),
    contender("stopped", "that is stopped under a flood", "stopped"),
  ],
  targets: [{ figure: "messagesPerSecond", against: "without", atLeast: 0.95 }],
  // Twelve processes share the cores, so rounds differ much.
  rounds: 15,
};

/** Each has a router of its own, so that nothing of one is left in another. */
function contender(name: string, title: string, tenth: "unread" | "idle" | "stopped"): Contender {
  return {
    name,
    title,
    start: async (_stage, own) => {
      const [router, routerId] = await withWorkerdId(startTrustingRouter);
      const { url } = own.use(router);
      const start = async (who: string): Promise<Clients> => {
        const clients = own.use(new Clients(url, `process of ${who}`));
        await clients.connect([{ name: who, secret: "any" }]);
        return clients;
      };
      const from = await start(sender);
      const nine: Clients[] = [];
      for (let number = 1; number <= readers; number++) nine.push(await start(`reader-${number}`));
      const [last, flooder] = [await start(stuck), await start("flooder")];
      if (tenth === "unread") await from.call("fillUnread", { from: sender, to: stuck });
      const routes = nine.flatMap(({ names }) => names.map((to) => ({ from: sender, to })));
      return async ({ warmUpMs, durationMs }) => {
        const flooding = tenth === "stopped" ? await startTraffic(flooder, [last], flood) : undefined;
        if (flooding !== undefined) last.freeze();
        const traffic = await startTraffic(from, nine, { routes, messageBytes });
        await delay(warmUpMs);
        const messagesPerSecond = await traffic.perSecond(durationMs);
        const routerMebibytes = residentBytes(routerId) / 2 ** 20;
        await traffic.stop();
        last.thaw();
        // Nothing of the flood is lost, either.
        await flooding?.stop();
        return { messagesPerSecond, routerMebibytes };
      };
    },
  };
}
