import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "messagepasser";
import { WebSocket } from "ws";
import { addClient } from "../../scripts/admin-client.ts";
import { type Router, startRouter } from "../../scripts/router.ts";
import { quantile } from "../statistics.ts";
import { residentMiB } from "./process.ts";

const rounds = 15;
const atOnce = 50;
const counts = [10, Math.min(10_000, linksPossible())];

/** The object hibernates with many idle links. How long does the first round trip after that take? */
export async function wake(): Promise<string[]> {
  await using router = await startRouter();
  const clients = await Promise.all(
    ["alice", "bob"].map(async (name) => connect(router.url, { name, secret: await addClient(router, name) })),
  );
  const [alice, bob] = clients;
  if (alice === undefined || bob === undefined) throw new TypeError("Two were connected");
  bob.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
  });
  const connection = await alice.open("bob", "echo");
  const roundTrip = async (): Promise<number> => {
    const beforeMs = performance.now();
    await connection.send("x");
    await connection.receive();
    return performance.now() - beforeMs;
  };
  const lines: string[] = [];
  const idle: WebSocket[] = [];
  for (const count of counts) {
    while (idle.length < count)
      idle.push(
        ...(await Promise.all(
          Array.from({ length: Math.min(atOnce, count) }, (_, at) => idleLink(router, idle.length + at)),
        )),
      );
    const [warm, woken]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      warm.push(await roundTrip());
      await router.evict("hibernate");
      woken.push(await roundTrip());
    }
    lines.push(
      `${count} idle links, router at ${residentMiB().toFixed(0)} MiB: a round trip takes ${quantile(warm, 0.5).toFixed(2)} ms, the first after a wake ${quantile(woken, 0.5).toFixed(2)} ms (median of ${rounds}), at most ${Math.max(...woken).toFixed(2)} ms`,
    );
  }
  for (const socket of idle) socket.terminate();
  for (const client of clients) await client.close();
  return lines;
}

/** A client that only has a link. It never learns that the router would rather hear a heartbeat. */
async function idleLink(router: Router, number: number): Promise<WebSocket> {
  const name = `idle-${number}`;
  const secret = await addClient(router, name);
  const session = number.toString(16).padStart(32, "f");
  const socket = new WebSocket(new URL(`/connect?session=${session}`, router.url).href, "mp.v1", {
    headers: { authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}` },
    perMessageDeflate: false,
  });
  await once(socket, "open");
  socket.on("error", () => undefined);
  return socket;
}

/** A link takes two open files of workerd's, and there may be less of them than 10,000 links need. */
function linksPossible(): number {
  const files = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
  return Math.floor((files - 1_000) / 2);
}
