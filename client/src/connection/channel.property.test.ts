import { type DataFrame, dataFlags, limits, openerBit, type PeerFrame } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock } from "../link/platform.ts";
import { Paths } from "../session/paths.ts";
import { Upkeep } from "./upkeep.ts";
import { Budget } from "./budget.ts";
import { Channel } from "./channel.ts";
import type { ChannelStart } from "./channel-start.ts";
import { Downlink } from "../link/downlink.ts";
import type { Message } from "./message.ts";
import type { Destination } from "./route.ts";

/** Two channels and the frames on their way: nothing is delivered until the schedule says so. */
class Pair {
  readonly toAcceptor: PeerFrame[] = [];
  readonly toOpener: PeerFrame[] = [];
  readonly ends: (string | undefined)[] = [];
  readonly opener: Channel;
  readonly acceptor: Channel;

  /** @param budgetBytes how much each end may grant: with 0, windows are the smallest that there are. */
  constructor(budgetBytes: number) {
    this.opener = new Channel(startOf(1, budgetBytes));
    const opened = { from: linkTo(this.toOpener), limit: this.opener.receiver.position().limit };
    this.acceptor = new Channel(startOf((1 | openerBit) >>> 0, budgetBytes), opened);
    this.opener.routed(linkTo(this.toAcceptor));
    this.acceptor.accept();
    for (const { closed } of [this.opener, this.acceptor]) void closed.then((error) => this.ends.push(error?.message));
  }

  /** Delivers the next frame in one direction; false if there is none. */
  deliver(to: "acceptor" | "opener"): boolean {
    const frame = (to === "acceptor" ? this.toAcceptor : this.toOpener).shift();
    if (frame === undefined) return false;
    this[to].receive(frame);
    return true;
  }

  async settle(): Promise<void> {
    do {
      while (this.deliver("acceptor") || this.deliver("opener"));
      await turn();
    } while (this.toAcceptor.length + this.toOpener.length > 0);
  }
}

const clock: Clock = { now: () => 0, after: () => () => undefined, random: () => 0 };

function startOf(key: number, budgetBytes: number): ChannelStart {
  const budget = new Budget();
  budget.allow(budgetBytes);
  return {
    key,
    peer: "peer",
    protocol: "p",
    metadata: {},
    maxMessageBytes: 1_000_000,
    shared: { clock, budget, upkeep: new Upkeep(clock) },
    home: { peer: undefined },
    path: new Paths(budget, new Downlink(clock)).to("peer"),
    reopen: () => undefined,
    onForgotten: () => undefined,
  };
}

/** A link that takes all frames, and gives everyone a turn at once. */
function linkTo(frames: PeerFrame[]): Destination {
  const carrier: Destination["carrier"] = {
    isFull: false,
    pieceBytes: limits.maxPayloadBytes,
    // Only frames between ends come out of a channel.
    frame: (_, frame) => void frames.push(frame as PeerFrame),
    data: ({ connection }, flags, offset, payload) => {
      const frame: DataFrame = {
        kind: "data",
        connection,
        last: (flags & dataFlags.last) !== 0,
        text: (flags & dataFlags.text) !== 0,
        offset,
        payload: payload.slice(),
      };
      frames.push(frame);
    },
    requestTurn: (turn) => {
      while (turn.takeTurn());
    },
  };
  return { carrier, address: 1 };
}

/** Lets all that promises have set off happen. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const message = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }),
  fc.integer({ min: 1, max: 2_000 }).map((count) => "é𝄞".repeat(count)),
  // Up to more than the smallest window.
  fc.integer({ min: 0, max: 20_000 }).map((length) => new Uint8Array(length).fill(length)),
);

type Step = "toAcceptor" | "toOpener" | "receiveHere" | "receiveThere";
const steps = fc.array(fc.constantFrom<Step>("toAcceptor", "toOpener", "receiveHere", "receiveThere"), {
  maxLength: 200,
});
const budgetBytes = fc.constantFrom(0, 40_000, 10_485_760);

describe("two channels", () => {
  test("two channels deliver every message once, whole and in order, in both directions, whatever the schedule and the window", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { maxLength: 20 }),
        fc.array(message, { maxLength: 20 }),
        steps,
        budgetBytes,
        async (out, back, schedule, budget) => {
          const pair = new Pair(budget);
          const sending = [...sendAll(pair.opener, out), ...sendAll(pair.acceptor, back)];
          const gotThere: Promise<Message | undefined>[] = [];
          const gotHere: Promise<Message | undefined>[] = [];
          for (const step of schedule) {
            if (step === "toAcceptor") pair.deliver("acceptor");
            else if (step === "toOpener") pair.deliver("opener");
            else if (step === "receiveHere") gotHere.push(pair.opener.receiver.receive(undefined));
            else gotThere.push(pair.acceptor.receiver.receive(undefined));
          }
          while (gotThere.length <= out.length) gotThere.push(pair.acceptor.receiver.receive(undefined));
          while (gotHere.length <= back.length) gotHere.push(pair.opener.receiver.receive(undefined));
          await pair.settle();
          await Promise.all(sending);
          expect((await Promise.all(gotThere)).slice(0, out.length + 1)).toEqual([...out, undefined]);
          expect((await Promise.all(gotHere)).slice(0, back.length + 1)).toEqual([...back, undefined]);
          expect(pair.ends).toEqual([undefined, undefined]);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("two channels never have more bytes under way to a reader that doesn't read than the window", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 50 }), budgetBytes, async (messages, budget) => {
        const pair = new Pair(budget);
        const window = pair.acceptor.receiver.position().limit;
        const sending = Promise.allSettled(sendAll(pair.opener, messages));
        pair.deliver("opener");
        const data = pair.toAcceptor.filter((frame) => frame.kind === "data");
        const units = data.reduce((sum, frame) => sum + frame.payload.length + limits.frameCostBytes, 0);
        expect(units).toBeLessThanOrEqual(window);
        pair.opener.reset(103, "", pair.opener.error("aborted", "done"));
        await sending;
      }),
    );
  });

  test("two channels end once on both sides, whatever both do to end and however that crosses", async () => {
    const ending = fc.constantFrom("close", "end and receive", "abort", "lose");
    await fc.assert(
      fc.asyncProperty(ending, ending, steps, async (here, there, schedule) => {
        const pair = new Pair(0);
        const sending = Promise.allSettled([
          pair.opener.sender.send("x".repeat(50_000), undefined),
          pair.acceptor.sender.send("y", undefined),
        ]);
        const half = Math.floor(schedule.length / 2);
        for (const step of schedule.slice(0, half)) pair.deliver(step === "toAcceptor" ? "acceptor" : "opener");
        const endingHere = endBy(pair.opener, here);
        for (const step of schedule.slice(half)) pair.deliver(step === "toAcceptor" ? "acceptor" : "opener");
        const endingThere = endBy(pair.acceptor, there);
        await pair.settle();
        if (here === "lose" || there === "lose") {
          // The link went: nothing arrives any more, and the router tells the other end.
          pair.opener.fail(pair.opener.error("link-lost", "lost"));
          pair.acceptor.fail(pair.acceptor.error("peer-gone", "gone"));
        }
        await Promise.all([sending, endingHere, endingThere]);
        expect(pair.ends).toHaveLength(2);
        expect(pair.opener.isOver && pair.acceptor.isOver).toBe(true);
        await expect(pair.opener.send("late", undefined)).rejects.toThrow();
      }),
      { numRuns: 1_000 },
    );
  });
});

function sendAll(channel: Channel, messages: readonly Message[]): Promise<void>[] {
  return [...messages.map((each) => channel.sender.send(each, undefined)), channel.end(undefined)];
}

async function endBy(channel: Channel, how: string): Promise<void> {
  if (how === "abort") channel.reset(103, "", channel.error("aborted", "done"));
  else if (how === "close") await channel.close(undefined).catch(() => undefined);
  else if (how === "end and receive") {
    const ending = channel.end(undefined).catch(() => undefined);
    try {
      while ((await channel.receiver.receive(undefined)) !== undefined);
    } catch {
      // Ended by the other side.
    }
    await ending;
  }
}
