import { type Client, connect } from "messagepasser";
import { trustedAccounts } from "../processes/accounts.ts";
import { IdleLinks, mostLinks } from "../processes/links.ts";
import { startTrustingRouter } from "../processes/trusting-router.ts";
import { quantile } from "../report/statistics.ts";
import type { Contender, Scenario } from "./scenario.ts";

const wakesPerRound = 5;

/** The object hibernates with many idle links: how long does the first message after that take? */
export const wake: Scenario = {
  name: "wake",
  title: "first round trip after hibernation",
  metrics: [
    { figure: "wokenMs", title: "first round trip", unit: "ms" },
    { figure: "awakeMs", title: "the next one", unit: "ms" },
  ],
  contenders: [contender("many", mostLinks), contender("few", 10)],
  targets: [{ figure: "wokenMs", against: "few", atMost: 2 }],
  rounds: 5,
};

function contender(name: string, count: number): Contender {
  return {
    name,
    title: `${count.toLocaleString("en")} idle links`,
    start: async (_stage, own) => {
      const router = own.use(await startTrustingRouter());
      const links = own.use(new IdleLinks());
      await links.open(router.url, trustedAccounts(count));
      const join = async (who: string): Promise<Client> => {
        const client = await connect(router.url, { name: who, secret: "any" });
        own.defer(() => client.close());
        return client;
      };
      const [alice, bob] = [await join("alice"), await join("bob")];
      bob.handle("echo", async (connection) => {
        for await (const message of connection) await connection.send(message);
      });
      const connection = await alice.open("bob", "echo");
      const roundTripMs = async (): Promise<number> => {
        const beforeMs = performance.now();
        await connection.send("x");
        await connection.receive();
        return performance.now() - beforeMs;
      };
      return async () => {
        const [woken, awake]: [number[], number[]] = [[], []];
        // The object may have hibernated while another contender was measured, and only what is awake can be evicted.
        await roundTripMs();
        for (let at = 0; at < wakesPerRound; at++) {
          await router.evict("hibernate");
          woken.push(await roundTripMs());
          awake.push(await roundTripMs());
        }
        links.check();
        return { wokenMs: quantile(woken, 0.5), awakeMs: quantile(awake, 0.5) };
      };
    },
  };
}
