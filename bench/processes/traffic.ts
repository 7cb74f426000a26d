import { setTimeout as delay } from "node:timers/promises";
import type { Pace, Route, SharedQuota } from "./clients-process.ts";
import type { Clients } from "./clients.ts";

/** More would miss the deadline of a call. */
const opensPerCall = 5_000;

/** A Connection for each route, and messages of one size on all of them. */
export interface Load {
  readonly routes: readonly Route[];
  readonly messageBytes: number;
  readonly quota?: SharedQuota | Pace;
}

/** Messages that clients send. */
export interface Traffic {
  /** How many messages arrive in a second, measured for so long. */
  perSecond(durationMs: number): Promise<number>;
  /** @throws Error when not all messages have arrived, in order. */
  stop(): Promise<void>;
}

export async function startTraffic(from: Clients, to: readonly Clients[], load: Load): Promise<Traffic> {
  const { routes, messageBytes, quota = null } = load;
  const received = () => Promise.all(to.map((clients) => clients.call("received")));
  const first = await received();
  for (let at = 0; at < routes.length; at += opensPerCall)
    await from.call("open", { routes: routes.slice(at, at + opensPerCall) });
  await from.call("send", { messageBytes, quota });
  return {
    async perSecond(durationMs) {
      const before = await received();
      await delay(durationMs);
      const after = await received();
      // Each process has counted at a time of its own.
      return after.reduce((sum, { messages, timeMs }, at) => {
        const then = before[at] ?? { messages, timeMs };
        return sum + ((messages - then.messages) * 1_000) / (timeMs - then.timeMs);
      }, 0);
    },
    async stop() {
      const sent = await from.call("stop");
      const last = await received();
      const arrived = last.reduce((sum, { messages }, at) => sum + messages - (first[at]?.messages ?? 0), 0);
      if (sent !== arrived) throw new Error(`${sent} messages were sent, ${arrived} arrived`);
      if (last.some(({ disorder }) => disorder > 0)) throw new Error("Messages arrived out of order");
    },
  };
}
