import { setTimeout as delay } from "node:timers/promises";
import { startRouter } from "../../scripts/router.ts";
import { Clients } from "../clients/clients.ts";
import { startTraffic } from "../clients/traffic.ts";
import { quantile } from "../statistics.ts";

/** A bulk transfer saturates the link of two clients. How long do round trips on another Connection of theirs take? */
export async function turns(): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const router = stack.use(await startRouter());
  const [alice, bob] = [
    stack.use(await Clients.startOne(router, "alice")),
    stack.use(await Clients.startOne(router, "bob")),
  ];
  const route = { from: "alice", to: "bob" };
  const lines: string[] = [];
  const told = async (beside: string): Promise<void> => {
    const times = await alice.call("roundTrips", { ...route, durationMs: 5_000 });
    const [p50, p99, most] = [quantile(times, 0.5), quantile(times, 0.99), Math.max(...times)];
    lines.push(
      `round trip ${beside}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, longest ${most.toFixed(2)} ms of ${times.length}`,
    );
  };
  await told("on an idle link");
  for (const [messageBytes, connections] of [
    [1_048_576, 1],
    [1_048_576, 8],
    [64, 1],
  ] as const) {
    await startTraffic(alice, { routes: Array.from({ length: connections }, () => route), messageBytes });
    await delay(1_000);
    const before = await bob.call("received", null);
    const startMs = performance.now();
    await told(`beside ${connections} Connection${connections === 1 ? "" : "s"} of ${messageBytes} B messages`);
    const after = await bob.call("received", null);
    const rate = ((after.messages - before.messages) * messageBytes) / (performance.now() - startMs) / 1_000;
    lines.push(`  which moved ${rate.toFixed(0)} MB/s meanwhile`);
    await alice.call("stop", null);
  }
  return lines;
}
