import { setTimeout as delay } from "node:timers/promises";
import { startRouter } from "../../scripts/router.ts";
import { quantile } from "../statistics.ts";
import { EndProcess } from "./process.ts";

const rounds = 7;
const roundMs = 2_000;

/** One receiver of ten never reads. How fast are the other nine, beside it and without it? */
export async function stuck(): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const router = stack.use(await startRouter());
  const start = async (name: string): Promise<EndProcess> => stack.use(await EndProcess.start(router, name));
  const sender = await start("sender");
  const nine: EndProcess[] = [];
  for (let number = 1; number <= 9; number++) nine.push(await start(`reader-${number}`));
  await start("stuck");
  const peers = nine.map(({ name }) => name);

  const rate = async (): Promise<number> => {
    await sender.call("send", { peers, connections: 1, messageBytes: 1_024 });
    await delay(200);
    const before = await countOf(nine);
    await delay(roundMs);
    const messages = (await countOf(nine)) - before;
    await sender.call("stop", null);
    return (messages * 1_000) / roundMs;
  };
  // The Connection that nobody reads stays from its first round on; so what is without it comes in the first half of each.
  const without: number[] = [];
  const beside: number[] = [];
  await rate();
  for (let round = 0; round < rounds; round++) without.push(await rate());
  await sender.call("fillUnread", { peer: "stuck" });
  for (let round = 0; round < rounds; round++) beside.push(await rate());
  const [before, after] = [quantile(without, 0.5), quantile(beside, 0.5)];
  return [
    `nine readers without a stuck one: ${before.toFixed(0)} messages/s (median of ${rounds})`,
    `the same nine beside a tenth that never reads: ${after.toFixed(0)}; ratio ${(after / before).toFixed(2)}`,
  ];
}

async function countOf(ends: readonly EndProcess[]): Promise<number> {
  let messages = 0;
  for (const end of ends) messages += (await end.call("received", null)).messages;
  return messages;
}
