import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, test, type TestContext } from "vitest";
import { type Cast, type Ends, onePair, Stage } from "../../bench/stage.ts";
import { AbsentError, type System } from "../../bench/systems/system.ts";
import { crowdSystems, systems } from "../../bench/systems/systems.ts";

// Each contender of the benchmark for a moment: whether it works, not how fast.

const stage = new Stage();
afterAll(() => stage[Symbol.asyncDispose]());

const streamMs = 50;
const round = { warmUpMs: 0, durationMs: 20, messageBytes: 64 };

/** Skips the test where the system isn't on this machine. */
async function endsOf(system: System, context: TestContext, cast: Cast = onePair): Promise<Ends> {
  try {
    return await stage.ends(system, cast);
  } catch (error) {
    if (error instanceof AbsentError) context.skip(error.message);
    throw error;
  }
}

async function expectStreams({ sender, receiver }: Ends, messageBytes: number, streamsEach = 1): Promise<void> {
  await sender.call("startStreams", { messageBytes });
  await delay(streamMs);
  const [sent, received] = await Promise.all([
    sender.call("stopStreams"),
    receiver.call("finishStreams", { streamsEach }),
  ]);
  expect(received).toEqual(sent);
  expect(sent.messages).toBeGreaterThan(0);
}

test.for(systems)(
  "on $name a whole stream arrives, messages come back and Connections open",
  async (system, context) => {
    const ends = await endsOf(system, context);
    for (const messageBytes of [1, 64, 65_536, 1_048_576]) await expectStreams(ends, messageBytes);
    expect((await ends.sender.call("timeRoundTrips", round)).count).toBeGreaterThan(0);
    expect((await ends.sender.call("timeOpens", round)).count).toBeGreaterThan(0);
  },
);

test.for(crowdSystems)("on $name the streams of many senders arrive at one receiver", async (system, context) => {
  await expectStreams(await endsOf(system, context, { senders: 5, receivers: 1 }), 64, 5);
});
