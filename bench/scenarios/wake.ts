import { connect } from "messagepasser";
import { addClient } from "../../scripts/admin-client.ts";
import { startRouter } from "../../scripts/router.ts";
import { Links, linksPossible } from "../links/links.ts";
import { quantile } from "../statistics.ts";
import type { Contender, Figures, Scenario } from "./scenario.ts";

const [few, many] = [10, linksPossible(10_000)];
const wakesPerRound = 5;

/** The object hibernates with many idle links: what does the first message after that wait for? */
export const wake: Scenario = {
  name: "wake",
  title: "first round trip after hibernation",
  metrics: [
    { figure: "wokenMs", title: "first round trip", unit: "ms" },
    { figure: "awakeMs", title: "the next one", unit: "ms" },
  ],
  contenders: [contender("many", many), contender("few", few)],
  targets: [{ figure: "wokenMs", against: "few", atMost: 2 }],
};

function contender(name: string, count: number): Contender {
  return {
    name,
    title: `${count.toLocaleString("en")} idle links`,
    start: async (stage, own) => {
      const population = await stage.population(many);
      const router = own.use(await startRouter({ stateDirectory: await population.copy() }));
      const links = own.use(new Links(router.url));
      await links.open(population.accounts.slice(0, count));
      const join = async (who: string) => {
        const client = await connect(router.url, { name: who, secret: await addClient(router, who) });
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
      return async (): Promise<Figures> => {
        const [woken, awake]: [number[], number[]] = [[], []];
        // It may have gone to sleep by itself while somebody else was measured, and only what is awake can be evicted.
        await roundTripMs();
        for (let at = 0; at < wakesPerRound; at++) {
          await router.evict("hibernate");
          woken.push(await roundTripMs());
          awake.push(await roundTripMs());
        }
        await links.check();
        return { wokenMs: quantile(woken, 0.5), awakeMs: quantile(awake, 0.5) };
      };
    },
  };
}
