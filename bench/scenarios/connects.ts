import { startRouter } from "../../scripts/router.ts";
import { type Account, addClients, trustedAccounts } from "../processes/accounts.ts";
import { openLink } from "../processes/links.ts";
import { startTrustingRouter } from "../processes/trusting-router.ts";
import { startRelay } from "../systems/relay/system.ts";
import type { Contender, Scenario } from "./scenario.ts";

const atOnce = 8;

/** How many clients take turns, since the router bounds how often one client may connect. */
const clients = 512;

/** Clients that connect again and again, eight at once: what does authentication cost? */
export const connects: Scenario = {
  name: "connects",
  title: "links opened, eight at once",
  metrics: [{ figure: "linksPerSecond", title: "links", unit: "/s" }],
  contenders: [
    contender("router", "MessagePasser", async (own) => {
      const router = own.use(await startRouter({ connectsPer10s: 1e9 }));
      return { url: router.url, accounts: await addClients(router, clients) };
    }),
    contender("open", "MessagePasser without authentication", async (own) => {
      const { url } = own.use(await startTrustingRouter());
      return { url, accounts: trustedAccounts(clients) };
    }),
    contender("relay", "opaque relay on workerd", async (own) => {
      const relay = await startRelay();
      own.defer(() => relay.dispose());
      return { url: await relay.ready, accounts: Array.from({ length: clients }, () => null) };
    }),
  ],
  targets: [],
};

/** @param start says where to connect, and as whom. */
function contender(
  name: string,
  title: string,
  start: (own: AsyncDisposableStack) => Promise<{ url: URL; accounts: readonly (Account | null)[] }>,
): Contender {
  return {
    name,
    title,
    start: async (_stage, own) => {
      const { url, accounts } = await start(own);
      return async ({ warmUpMs, durationMs }) => {
        const startMs = performance.now() + warmUpMs;
        const endMs = startMs + durationMs;
        let count = 0;
        let turn = 0;
        const openAgainAndAgain = async (): Promise<void> => {
          while (performance.now() < endMs) {
            const link = await openLink(url, accounts[turn++ % clients] ?? null);
            link.terminate();
            const nowMs = performance.now();
            if (nowMs >= startMs && nowMs < endMs) count++;
          }
        };
        await Promise.all(Array.from({ length: atOnce }, openAgainAndAgain));
        return { linksPerSecond: (count * 1_000) / durationMs };
      };
    },
  };
}
