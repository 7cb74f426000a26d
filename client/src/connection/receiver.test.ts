import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { clientLimits, type DataFrame, errorCodes, limits } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { Budget, Share } from "./budget.ts";
import { Downlink } from "../link/downlink.ts";
import { systemClock } from "../link/platform.ts";
import { Paths } from "../session/paths.ts";
import type { Message } from "./message.ts";
import type { Path } from "./path.ts";
import type { Quota } from "./quota.ts";
import { Receiver } from "./receiver.ts";
import { Unfit, Violation } from "./violation.ts";

const windowBytes = limits.firstWindowBytes;
/** What makes a receiver grant its first window, and what makes it grant the smallest one. */
const [ample, scarce] = [limits.maxBudgetBytes, 0];

/** What the Connections of one client share. */
class Commons {
  readonly budget = new Budget();
  readonly #paths = new Paths(this.budget, new Downlink(systemClock));

  to(peer: string): { readonly budget: Budget; readonly path: Path } {
    return { budget: this.budget, path: this.#paths.to(peer) };
  }
}

/** The same with a budget of its own. */
function withBudget({ path }: ReturnType<Commons["to"]>): ReturnType<Commons["to"]> {
  const budget = new Budget();
  return { budget, path: { ...path, account: { ...path.account, budget: new Share(budget) } } };
}

class Harness {
  readonly credits: { received: number; limit: number }[] = [];
  readonly budget: Budget;
  readonly uncounted: Quota;
  readonly faults: Error[] = [];
  readonly receiver: Receiver;
  #offset = 0;

  constructor(maxMessageBytes = 1_000_000, budgetBytes: number = ample, { budget, path } = new Commons().to("bob")) {
    this.budget = budget;
    this.uncounted = path.account.uncounted;
    this.budget.allow(budgetBytes);
    this.receiver = new Receiver(
      {
        credit: (received, limit) => void this.credits.push({ received, limit }),
        unfit: (error) => {
          this.faults.push(error);
          this.receiver.discard(() => error);
        },
      },
      maxMessageBytes,
      () => 0,
      path,
    );
    this.receiver.begin();
  }

  get sentBytes(): number {
    return this.#offset;
  }

  /** How far the sender may go. */
  get limit(): number {
    return this.receiver.position().limit;
  }

  /** A frame with one byte of payload in a batch of this size. */
  frame(payloadBytes: number, part: Partial<DataFrame> = {}, batchBytes = payloadBytes): void {
    const payload = new Uint8Array(new ArrayBuffer(batchBytes), 0, payloadBytes);
    this.receiver.data({
      kind: "data",
      connection: 1,
      last: true,
      text: false,
      offset: this.#offset,
      payload,
      ...part,
    });
    this.#offset += payloadBytes + limits.frameCostBytes;
  }
}

describe("a receiver", () => {
  test("a receiver keeps little more memory alive than its window, however small the payloads and large the batches are", async () => {
    const harness = new Harness();
    const count = Math.floor(windowBytes / (1 + limits.frameCostBytes));
    for (let sent = 0; sent < count; sent++) harness.frame(1, {}, limits.maxBatchBytes);
    const buffers = new Set<ArrayBufferLike>();
    for (let taken = 0; taken < count; taken++) {
      const message = await harness.receiver.receive(undefined);
      if (message instanceof Uint8Array) buffers.add(message.buffer);
    }
    const kept = Array.from(buffers, ({ byteLength }) => byteLength).reduce((sum, bytes) => sum + bytes, 0);
    expect(kept).toBeLessThan(4 * windowBytes);
  });

  test("a receiver puts a message of many tiny pieces together without keeping their batches", async () => {
    const harness = new Harness();
    const receiving = harness.receiver.receive(undefined);
    for (let sent = 0; sent < 20_000; sent++) harness.frame(1, { last: sent === 19_999 }, 1_000);
    const message = (await receiving) as Uint8Array;
    expect(message).toHaveLength(20_000);
    expect(message.buffer.byteLength).toBe(20_000);
  });

  test.each([
    [100, 100, true],
    [101, 100, false],
    [0, 0, true],
  ])("a receiver gets a message of %i bytes where %i are allowed: %s", async (size, max, isTaken) => {
    for (const pieces of [1, 2]) {
      const harness = new Harness(max);
      if (pieces === 2) harness.frame(0, { last: false });
      harness.frame(size);
      const outcome = await harness.receiver.receive(undefined).then(
        (message: Message | undefined) => message?.length,
        (error: unknown) => error,
      );
      if (isTaken) expect(outcome).toBe(size);
      else expect(outcome).toBeInstanceOf(Unfit);
    }
  });

  test("a receiver takes data up to the limit and not one unit further", () => {
    const rest = limits.minWindowBytes - 2 * limits.frameCostBytes - 100;
    const harness = new Harness(1_000_000, scarce);
    harness.frame(100);
    harness.frame(rest);
    expect(() => {
      harness.frame(0);
    }).toThrow(Violation);
    const exact = new Harness(1_000_000, scarce);
    exact.frame(100);
    expect(() => {
      exact.frame(rest + 1);
    }).toThrow(Violation);
  });

  test("a receiver grants when a quarter of the window is taken, and never less than before", async () => {
    const harness = new Harness();
    const quarter = windowBytes / 4;
    for (let sent = 0; sent < 2; sent++) harness.frame(quarter / 2 - limits.frameCostBytes - sent);
    harness.frame(0);
    await harness.receiver.receive(undefined);
    await harness.receiver.receive(undefined);
    expect(harness.credits).toEqual([]);
    await harness.receiver.receive(undefined);
    const received = quarter - 1 + limits.frameCostBytes;
    expect(harness.credits).toEqual([{ received, limit: received + windowBytes }]);
  });

  test("a receiver takes only what is left of the budget, but always its smallest window, and gives all of it back", async () => {
    for (const budgetBytes of [scarce, 100_000, ample]) {
      const harness = new Harness(1_000_000, budgetBytes);
      const { budget, receiver } = harness;
      expect(budget.has(budgetBytes)).toBe(false);
      for (let sent = 0; sent < 100; sent++) {
        harness.frame(1_000);
        await receiver.receive(undefined);
      }
      for (let waiting = 0; waiting < 3; waiting++) harness.frame(1_000);
      receiver.fail(() => new Error("done"));
      // Data that arrived before is still there, and counts until it is read.
      const heldBytes = 3 * (1_000 + limits.frameCostBytes);
      expect(budget.has(budgetBytes - heldBytes)).toBe(true);
      expect(budget.has(budgetBytes - heldBytes + 1)).toBe(false);
      for (let waiting = 0; waiting < 3; waiting++) expect(await receiver.receive(undefined)).toHaveLength(1_000);
      expect(budget.has(budgetBytes)).toBe(true);
      expect(budget.has(budgetBytes + 1)).toBe(false);
    }
  });

  test("a receiver goes on counting the messages that wait after a FIN, and gives back the rest at once", async () => {
    const harness = new Harness();
    const { budget, receiver } = harness;
    for (let sent = 0; sent < 3; sent++) harness.frame(1_000);
    receiver.fin(3 * (1_000 + limits.frameCostBytes));
    const heldBytes = 3 * (1_000 + limits.frameCostBytes);
    expect(budget.has(ample - heldBytes)).toBe(true);
    expect(budget.has(ample - heldBytes + 1)).toBe(false);
    for (let sent = 0; sent < 3; sent++) await receiver.receive(undefined);
    expect(budget.has(ample)).toBe(true);
    expect(budget.has(ample + 1)).toBe(false);
  });

  test("a receiver goes on counting the messages that wait after a FIN that claims not to be counted", async () => {
    const harness = new Harness();
    const { budget, receiver } = harness;
    harness.frame(50_000);
    receiver.fin(limits.maxOffset);
    const heldBytes = 50_000 + limits.frameCostBytes;
    expect(budget.has(ample - heldBytes)).toBe(true);
    expect(budget.has(ample - heldBytes + 1)).toBe(false);
    await receiver.receive(undefined);
    expect(budget.has(ample)).toBe(true);
    expect(budget.has(ample + 1)).toBe(false);
  });

  test("a receiver refuses a message of text and bytes, and text that is not UTF-8", async () => {
    const mixed = new Harness();
    mixed.frame(1, { last: false, text: true });
    expect(() => {
      mixed.frame(1, { text: false });
    }).toThrow(Violation);
    const invalid = new Harness();
    invalid.frame(1, { text: true, payload: new Uint8Array([0xff]) });
    await expect(invalid.receiver.receive(undefined)).rejects.toBeInstanceOf(Violation);
    expect(invalid.faults).toHaveLength(1);
  });

  test("a receiver gives text whose characters are split between pieces as one string", async () => {
    const harness = new Harness();
    const [first, second] = [new Uint8Array([0xe2, 0x9c]), new Uint8Array([0x93])];
    harness.frame(2, { last: false, text: true, payload: first });
    harness.frame(1, { text: true, payload: second });
    expect(await harness.receiver.receive(undefined)).toBe("✓");
  });

  test("a receiver serves waiting calls in their order, and skips those that were aborted", async () => {
    const harness = new Harness();
    const controller = new AbortController();
    const first = harness.receiver.receive(undefined);
    const left = harness.receiver.receive(controller.signal);
    const last = harness.receiver.receive(undefined);
    controller.abort(new Error("left"));
    harness.frame(1);
    harness.frame(2);
    await expect(left).rejects.toThrow("left");
    expect([(await first)?.length, (await last)?.length]).toEqual([1, 2]);
  });
});

describe("a receiver of an uncounted half", () => {
  const uncounted = { offset: undefined };

  test("a receiver of an uncounted half takes data past every limit, and gives no credit", async () => {
    const harness = new Harness();
    for (let sent = 0; sent < 10; sent++) {
      harness.frame(limits.maxPayloadBytes, uncounted);
    }
    for (let taken = 0; taken < 10; taken++) {
      expect(await harness.receiver.receive(undefined)).toHaveLength(limits.maxPayloadBytes);
    }
    harness.receiver.acknowledge();
    expect(harness.credits).toEqual([]);
    harness.receiver.fin(limits.maxOffset);
    expect(await harness.receiver.receive(undefined)).toBeUndefined();
  });

  test("a receiver of an uncounted half takes half of the memory for all such halves, and then says that it is too much", async () => {
    const harness = new Harness();
    const mostFrames = Math.floor(limits.maxUncountedBytes / 2 / (limits.maxPayloadBytes + limits.frameCostBytes));
    for (let sent = 0; sent < mostFrames; sent++) harness.frame(limits.maxPayloadBytes, uncounted);
    expect(harness.faults).toEqual([]);
    // Taken and sent again, since what counts is what waits.
    await harness.receiver.receive(undefined);
    harness.frame(limits.maxPayloadBytes, uncounted);
    expect(harness.faults).toEqual([]);
    harness.frame(limits.maxPayloadBytes, uncounted);
    expect(harness.faults).toEqual([expect.objectContaining({ code: errorCodes.overrun })]);
    expect(harness.uncounted.isFull).toBe(false);
  });
});

describe("the unfinished messages of a peer", () => {
  const { maxPayloadBytes } = limits;
  const piece = { last: false };
  const maxMessageBytes = clientLimits.defaultMaxMessageBytes;
  /** Pieces that go past the bound for all principals together. */
  const many = (clientLimits.maxUnfinishedBytes + maxMessageBytes) / maxPayloadBytes + 2;

  /** Receivers of one client, each with a program that waits for a message, and with budget enough. */
  function waiting(peers: readonly string[]): { readonly harness: Harness; readonly message: Promise<unknown> }[] {
    const paths = new Commons();
    return peers.map((peer) => {
      const harness = new Harness(maxMessageBytes, ample, withBudget(paths.to(peer)));
      return { harness, message: harness.receiver.receive(undefined).catch((error: unknown) => error) };
    });
  }

  /** How much a receiver has taken, as far as its sender knows. */
  function takenBytes({ credits }: Harness): number {
    return (credits.at(-1)?.limit ?? windowBytes) - windowBytes;
  }

  /** Sends pieces for as long as there is credit. Returns how many went. */
  function send(harness: Harness, most: number): number {
    let sent = 0;
    for (; sent < most && harness.sentBytes + maxPayloadBytes + limits.frameCostBytes <= harness.limit; sent++)
      harness.frame(maxPayloadBytes, piece);
    return sent;
  }

  test("the unfinished messages of a peer hold at most half of what is bounded and one message more, whatever it sends", () => {
    const all = waiting(Array.from({ length: 120 }, (_, at) => (at % 2 === 0 ? "mallory" : "mallory/guest")));
    for (let round = 0; round < 60; round++) for (const { harness } of all) send(harness, 4);
    const taken = all.reduce((sum, { harness }) => sum + takenBytes(harness), 0);
    expect(taken).toBeGreaterThan(clientLimits.maxUnfinishedBytes / 2);
    expect(taken).toBeLessThan(clientLimits.maxUnfinishedBytes / 2 + maxMessageBytes + 120 * windowBytes);
  });

  test("the unfinished messages of an honest peer all arrive, however many are under way at once", async () => {
    const all = waiting(Array.from({ length: 20 }, () => "bob"));
    const pieces = 64;
    const left = all.map(() => pieces - 1);
    for (let isMoving = true; isMoving;) {
      isMoving = false;
      for (const [at, { harness }] of all.entries()) {
        const sent = send(harness, left[at] ?? 0);
        left[at] = (left[at] ?? 0) - sent;
        if (sent > 0) isMoving = true;
        else if (left[at] === 0) {
          harness.frame(1, { last: true });
          left[at] = -1;
          isMoving = true;
        }
      }
    }
    for (const { message } of all) expect(await message).toHaveLength((pieces - 1) * maxPayloadBytes + 1);
  });

  test("the unfinished messages of many peers together end with an overrun where they pass the bound for all", () => {
    const all = waiting(Array.from({ length: 20 }, (_, at) => `mallory-${at}`));
    for (let round = 0; round < many; round++) for (const { harness } of all) send(harness, 1);
    const codes = all.flatMap(({ harness }) => harness.faults.map((fault) => (fault as Unfit).code));
    expect(codes).toContain(errorCodes.overrun);
    // The others have the room, up to the largest message.
    expect(codes).toContain(errorCodes.messageTooLarge);
  });

  test("an unfinished message that nobody waits for any more holds up no other of its peer", async () => {
    const paths = new Commons();
    const harnesses = Array.from(
      { length: 40 },
      () => new Harness(maxMessageBytes, ample, withBudget(paths.to("bob"))),
    );
    const waits = harnesses.map(({ receiver }) => {
      const abort = new AbortController();
      return { abort, message: receiver.receive(abort.signal).catch((error: unknown) => error) };
    });
    for (let round = 0; round < 60; round++) for (const harness of harnesses) send(harness, 1);
    const stuck = harnesses.map((harness) => send(harness, 1));
    expect(stuck.filter((sent) => sent > 0).length).toBeLessThan(3);
    // All but the last one, whichever of them it was that went on.
    for (const { abort } of waits.slice(0, -1)) abort.abort();
    const last = harnesses.at(-1);
    for (let round = 0; round < 20; round++) last?.frame(0, piece);
    last?.frame(0, { last: true });
    expect(await waits.at(-1)?.message).toBeInstanceOf(Uint8Array);
  });
});

describe("what a Connection holds after its end", () => {
  const over = (): Error => new Error("over");
  const frameBytes = limits.maxPayloadBytes + limits.frameCostBytes;

  /** Receivers of Connections that ended with as much as was granted and nothing read. */
  function ended(count: number, peer: string, client: Commons): Harness[] {
    return Array.from({ length: count }, () => {
      const harness = new Harness(1_000_000, ample, client.to(peer));
      for (; harness.sentBytes + frameBytes <= harness.limit;) harness.frame(limits.maxPayloadBytes);
      harness.frame(harness.limit - harness.sentBytes - limits.frameCostBytes);
      harness.receiver.fail(over);
      return harness;
    });
  }

  const readAll = async ({ receiver }: Harness): Promise<number> => {
    let bytes = 0;
    try {
      for (let message; (message = await receiver.receive(undefined)) !== undefined;) bytes += message.length;
    } catch {
      // The end.
    }
    return bytes;
  };

  test("messages in ended Connections take budget until they are read or thrown away, so that peers are granted less", async () => {
    const client = new Commons();
    const harnesses = ended(1_000, "bob", client);
    expect(client.budget.has(limits.minWindowBytes)).toBe(false);
    // Each has the least window from then on.
    const sent = harnesses.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
    expect(sent).toBeLessThan(limits.maxBudgetBytes + 1_000 * limits.minWindowBytes);
    // And nothing of it is lost.
    const read = await Promise.all(harnesses.slice(0, 500).map(readAll));
    for (const { receiver } of harnesses.slice(500)) receiver.discard(over);
    expect(Math.min(...read)).toBeGreaterThan(0);
    expect(client.budget.has(limits.maxBudgetBytes)).toBe(true);
    expect(client.budget.has(limits.maxBudgetBytes + 1)).toBe(false);
  });

  test("messages that a program let go of unread take no budget once they are collected", async () => {
    const client = new Commons();
    ended(10, "bob", client);
    expect(client.budget.has(limits.maxBudgetBytes)).toBe(false);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    await expect
      .poll(() => {
        collect();
        return client.budget.has(limits.maxBudgetBytes);
      })
      .toBe(true);
  });

  test("messages that a peer leaves unread in Connections that it resets are bounded, and the oldest go first", async () => {
    const client = new Commons();
    const bystander = ended(1, "bob", client);
    const harnesses = ended(6_000, "mallory", client);
    const read = await Promise.all(harnesses.map(readAll));
    const heldBytes = read.reduce((sum, bytes) => sum + bytes, 0);
    expect(heldBytes).toBeGreaterThan(clientLimits.maxLeftoverBytes / 4);
    expect(heldBytes).toBeLessThanOrEqual(clientLimits.maxLeftoverBytes / 2);
    expect(read[0]).toBe(0);
    expect(read.at(-1)).toBeGreaterThan(0);
    expect(await Promise.all(bystander.map(readAll))).toEqual([windowBytes - 4 * limits.frameCostBytes]);
    expect(client.budget.has(limits.maxBudgetBytes)).toBe(true);
  });
});
