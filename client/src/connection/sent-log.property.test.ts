import { limits } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type LoggedFrame, SentLog } from "./sent-log.ts";

/** The same with an array: no blocks, and nothing is ever freed. */
class Model {
  readonly frames: LoggedFrame[] = [];
  acknowledged = 0;
  end = 0;
  /** The next frame to replay; `undefined` when nothing is being replayed. */
  cursor: number | undefined;

  push(flags: number | undefined, payload: Uint8Array): void {
    this.frames.push({ flags, offset: this.end, payload: payload.slice() });
    this.end += payload.length + limits.frameCostBytes;
  }

  acknowledge(offset: number): boolean {
    const isBoundary = offset === this.end || this.frames.some((frame) => frame.offset === offset);
    if (offset < this.acknowledged || !isBoundary) return false;
    this.acknowledged = offset;
    return true;
  }

  rewind(): void {
    this.cursor = this.#firstKept();
    if (this.cursor === this.frames.length) this.cursor = undefined;
  }

  next(): LoggedFrame | undefined {
    if (this.cursor === undefined) return undefined;
    // Frames that were acknowledged meanwhile are skipped.
    const frame = this.frames[Math.max(this.cursor, this.#firstKept())];
    this.cursor = frame === undefined ? undefined : this.frames.indexOf(frame) + 1;
    return frame;
  }

  #firstKept(): number {
    const at = this.frames.findIndex(({ offset }) => offset >= this.acknowledged);
    return at === -1 ? this.frames.length : at;
  }
}

const payloadBytes = fc.oneof(
  { weight: 6, arbitrary: fc.nat(40) },
  { weight: 3, arbitrary: fc.integer({ min: 900, max: 5_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(limits.maxPayloadBytes - 1, limits.maxPayloadBytes) },
);
const flags = fc.option(fc.nat(3), { nil: undefined, freq: 8 });

type Step =
  | { readonly do: "push"; readonly flags: number | undefined; readonly payloadBytes: number }
  | { readonly do: "acknowledge"; readonly frame: number; readonly off: number }
  | { readonly do: "rewind" }
  | { readonly do: "next"; readonly count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("push" as const), flags, payloadBytes }) },
  {
    weight: 2,
    // Now and then beside the end of a frame.
    arbitrary: fc.record({
      do: fc.constant("acknowledge" as const),
      frame: fc.nat(),
      off: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1, 1_000_000)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rewind" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("next" as const), count: fc.integer({ min: 1, max: 6 }) }) },
);

function perform(step: Step, log: SentLog, model: Model, index: number): void {
  switch (step.do) {
    case "push": {
      // A sender has nothing new to send while it replays.
      if (model.cursor !== undefined) return;
      const payload = new Uint8Array(step.payloadBytes).fill(index);
      log.push(step.flags, payload);
      model.push(step.flags, payload);
      // The log has its own copy.
      payload.fill(0xee);
      return;
    }
    case "acknowledge": {
      const offsets = [...model.frames.map(({ offset }) => offset), model.end];
      const offset = (offsets[step.frame % offsets.length] ?? 0) + step.off;
      expect(log.acknowledge(offset)).toBe(model.acknowledge(offset));
      return;
    }
    case "rewind":
      log.rewind();
      model.rewind();
      return;
    case "next":
      for (let count = 0; count < step.count && model.cursor !== undefined; count++) compare(log.next(), model.next());
  }
}

/** Not with `toEqual`: of large payloads that takes most of the time. */
function compare(frame: LoggedFrame | undefined, expected: LoggedFrame | undefined): void {
  expect([frame?.flags, frame?.offset]).toEqual([expected?.flags, expected?.offset]);
  expect(Buffer.compare(frame?.payload ?? Buffer.of(), expected?.payload ?? Buffer.of())).toBe(0);
}

describe("a sent log", () => {
  test("a sent log gives frames back like an array, from the first unacknowledged one, whatever is acknowledged meanwhile", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1), step), { maxLength: 100, size: "max" }), (steps) => {
        // Two logs that take each other's blocks.
        const both = [0, 1].map(() => ({ log: new SentLog(), model: new Model() }));
        for (const [index, [which, each]] of steps.entries()) {
          for (const { log, model } of both.slice(which, which + 1)) perform(each, log, model, index);
          for (const { log, model } of both)
            expect([log.acknowledged, log.end]).toEqual([model.acknowledged, model.end]);
        }
        for (const { log, model } of both) {
          log.rewind();
          model.rewind();
          while (model.cursor !== undefined) compare(log.next(), model.next());
          expect(log.next()).toBeUndefined();
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("a sent log with nothing unacknowledged has nothing to send again, and finds what comes after it", () => {
    const log = new SentLog();
    for (let round = 1; round <= 100; round++) {
      for (let frame = 0; frame < 30; frame++) log.push(1, new Uint8Array(100).fill(round));
      expect(log.acknowledge(log.end)).toBe(true);
      log.rewind();
      expect(log.next()).toBeUndefined();
      log.push(2, Uint8Array.of(round));
      log.rewind();
      expect(log.next()).toEqual({ flags: 2, offset: log.acknowledged, payload: Uint8Array.of(round) });
    }
  });

  test("a sent log leaves the memory of its large blocks to other logs once it is acknowledged", () => {
    const [one, other] = [new SentLog(), new SentLog()];
    const payload = new Uint8Array(limits.maxPayloadBytes);
    const memoryOf = (log: SentLog): ArrayBufferLike | undefined => {
      log.push(1, payload);
      log.rewind();
      return log.next()?.payload.buffer;
    };
    const memory = memoryOf(one);
    expect(memoryOf(other)).not.toBe(memory);
    one.acknowledge(one.end);
    expect(memoryOf(new SentLog())).toBe(memory);
  });
});
