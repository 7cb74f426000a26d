import { startRouter } from "../../scripts/router.ts";
import { Clients } from "../clients/clients.ts";
import { rates } from "../clients/traffic.ts";
import type { Contender, Figures, Scenario } from "./scenario.ts";

const readers = 9;
const messageBytes = 1_024;
const [sender, stuck] = ["sender", "stuck"];

/** One sender, ten receivers, one of which never reads: how fast are the other nine, beside it and without it? */
export const stuckReceiver: Scenario = {
  name: "stuck-receiver",
  title: "1 KiB to nine receivers, a tenth is stuck",
  metrics: [{ figure: "messagesPerSecond", title: "messages to the nine", unit: "/s" }],
  contenders: [contender("beside", "beside the stuck one", true), contender("without", "without it", false)],
  targets: [{ figure: "messagesPerSecond", against: "without", atLeast: 0.95 }],
  // Twelve processes share the cores here, so rounds are far apart.
  rounds: 15,
};

/** Each has a router of its own, so that nothing of one is left in the other. */
function contender(name: string, title: string, isBesideStuck: boolean): Contender {
  return {
    name,
    title,
    start: async (_stage, own) => {
      const router = own.use(await startRouter());
      const start = async (who: string): Promise<Clients> => own.use(await Clients.startOne(router, who));
      const from = await start(sender);
      const nine: Clients[] = [];
      for (let number = 1; number <= readers; number++) nine.push(await start(`reader-${number}`));
      await start(stuck);
      if (isBesideStuck) await from.call("fillUnread", { from: sender, to: stuck });
      const routes = nine.flatMap(({ names }) => names.map((to) => ({ from: sender, to })));
      return async (times): Promise<Figures> => {
        const [messagesPerSecond = 0] = await rates(from, nine, { routes, messageBytes }, times);
        return { messagesPerSecond };
      };
    },
  };
}
