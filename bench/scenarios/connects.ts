import { addClient } from "../../scripts/admin-client.ts";
import { startRouter } from "../../scripts/router.ts";
import type { Account } from "../clients/calls.ts";
import { openLink } from "../links/link.ts";
import { trustingWorker } from "../links/trusting-worker.ts";
import { startRelay } from "../systems/relay.ts";
import type { Contender, Figures, RoundTimes, Scenario } from "./scenario.ts";

const atOnce = 8;
const names = Array.from({ length: atOnce }, (_, at) => `client-${at}`);

/** Clients that connect one after the other, eight at once: what does it cost to know them? */
export const connects: Scenario = {
  name: "connects",
  title: "links opened, eight at once",
  metrics: [{ figure: "linksPerSecond", title: "links", unit: "/s" }],
  contenders: [
    contender("router", "MessagePasser", async (own) => {
      const { url, adminToken } = own.use(await startRouter());
      const accountOf = async (name: string): Promise<Account> => ({
        name,
        secret: await addClient({ url, adminToken }, name),
      });
      return { url, accounts: await Promise.all(names.map(accountOf)) };
    }),
    contender("open", "without authentication", async (own) => {
      const { url } = own.use(await startRouter({ worker: await trustingWorker() }));
      return { url, accounts: names.map((name) => ({ name, secret: "any" })) };
    }),
    contender("relay", "opaque relay on workerd", async (own) => {
      const relay = await startRelay();
      own.defer(() => relay.dispose());
      return { url: await relay.ready, accounts: names.map(() => null) };
    }),
  ],
  targets: [],
};

/** Where to connect, and as whom. */
interface Door {
  readonly url: URL;
  readonly accounts: readonly (Account | null)[];
}

function contender(name: string, title: string, start: (own: AsyncDisposableStack) => Promise<Door>): Contender {
  return {
    name,
    title,
    start: async (_stage, own) => {
      const door = await start(own);
      return (times) => opened(door, times);
    },
  };
}

async function opened({ url, accounts }: Door, { warmUpMs, durationMs }: RoundTimes): Promise<Figures> {
  const startMs = performance.now() + warmUpMs;
  const endMs = startMs + durationMs;
  let count = 0;
  const openOver = async (account: Account | null): Promise<void> => {
    while (performance.now() < endMs) {
      const link = await openLink(url, account);
      link.terminate();
      const nowMs = performance.now();
      if (nowMs >= startMs && nowMs < endMs) count++;
    }
  };
  await Promise.all(accounts.map(openOver));
  return { linksPerSecond: (count * 1_000) / durationMs };
}
