import { limits, openerBit, type PeerFrame } from "@messagepasser/protocol";
import { uncountedOffset } from "@messagepasser/protocol/formats";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byNameAnswers } from "./by-name-answers.ts";

/** Connection 1 in frames from its sender, and in frames from the receiver of those. */
const mine = (1 | openerBit) >>> 0;
const theirs = 1;
const other = 7;
const othersOther = (7 | openerBit) >>> 0;
const quarter = limits.firstWindowBytes / 4;

function data(offset: number | undefined, bytes: number, connection = mine): PeerFrame {
  return { kind: "data", connection, last: true, text: false, offset, payload: new Uint8Array(bytes) };
}

function received(received: number, connection = theirs): PeerFrame {
  return { kind: "credit", connection, received, limit: 0 };
}

describe("answers for a client that doesn't write them", () => {
  test("the router answers nothing to frames that need no answer", () => {
    const frames: PeerFrame[] = [
      { kind: "credit", connection: mine, received: 0, limit: 5 },
      { kind: "credit", connection: mine, received: 5, limit: 5 },
      { kind: "stop", connection: mine },
    ];
    expect(byNameAnswers(frames)).toEqual({ answers: [], credits: new Map() });
    expect(byNameAnswers([])).toEqual({ answers: [], credits: new Map() });
  });

  test("the router acknowledges data once for each Connection, up to the end of the last frame", () => {
    const frames = [data(0, 10), data(undefined, 5), data(100, 0, other), data(undefined, 1)];
    expect(byNameAnswers(frames).answers).toEqual([received(10 + 5 + 1 + 3 * 16), received(116, othersOther)]);
  });

  test("the router acknowledges a fin, alone and after data", () => {
    expect(byNameAnswers([{ kind: "fin", connection: mine, offset: 26 }]).answers).toEqual([received(42)]);
    expect(byNameAnswers([data(0, 10), { kind: "fin", connection: mine, offset: 26 }]).answers).toEqual([received(42)]);
  });

  test("the router doesn't answer data with an unknown offset, nor an uncounted fin", () => {
    expect(byNameAnswers([data(undefined, 100_000), data(undefined, 5)])).toEqual({ answers: [], credits: new Map() });
    expect(byNameAnswers([{ kind: "fin", connection: mine, offset: uncountedOffset }]).answers).toEqual([]);
  });

  test.for(["reset", "done"] as const)("the router answers a %s with done", (kind) => {
    const frame: PeerFrame =
      kind === "done" ? { kind, connection: mine } : { kind, connection: mine, code: 103, reason: "" };
    expect(byNameAnswers([frame]).answers).toEqual([{ kind: "done", connection: theirs }]);
  });

  test("the router acknowledges data before it answers the frame that ends the Connection", () => {
    const frames: PeerFrame[] = [{ kind: "done", connection: other }, data(0, 4), { kind: "done", connection: mine }];
    expect(byNameAnswers(frames).answers).toEqual([
      received(20),
      { kind: "done", connection: othersOther },
      { kind: "done", connection: theirs },
    ]);
  });

  test("the router keeps a limit as it was when its sender gives credit back: no answer is at or below it", () => {
    const yields = (granted: number): PeerFrame => ({ kind: "yield", connection: mine, granted, limit: 0 });
    expect(byNameAnswers([yields(1_000)]).answers).toEqual([
      { kind: "credit", connection: theirs, received: 0, limit: 1_001 },
    ]);
    expect(byNameAnswers([yields(limits.maxOffset)]).answers).toMatchObject([{ limit: limits.maxOffset }]);
  });
});

describe("credit for a client that doesn't write it", () => {
  test.for([
    { start: 0, bytes: quarter - 17, isGranted: false },
    { start: 0, bytes: quarter - 16, isGranted: true },
    { start: quarter, bytes: quarter - 17, isGranted: false },
    { start: quarter - 1, bytes: 0, isGranted: true },
    { start: 5 * quarter - 100, bytes: 83, isGranted: false },
    { start: 5 * quarter - 100, bytes: 84, isGranted: true },
  ])(
    "the router asks for credit where a quarter of a window ends: $bytes bytes from $start on",
    ({ start, bytes, isGranted }) => {
      const end = start + bytes + limits.frameCostBytes;
      expect(byNameAnswers([data(start, bytes)]).credits).toEqual(new Map(isGranted ? [[theirs, end]] : []));
    },
  );

  test("the router asks for credit once for all frames of one Connection, up to the last that ended a quarter", () => {
    const frames = [data(0, 65_536), data(undefined, 65_536), data(undefined, 1), data(quarter - 1, 0, other)];
    expect(byNameAnswers(frames).credits).toEqual(
      new Map([
        [theirs, 2 * (65_536 + 16)],
        [othersOther, quarter + 15],
      ]),
    );
  });

  test("the router grants credit for every quarter of a window, however frames and segments divide the bytes", () => {
    const sizes = fc.array(fc.nat(65_536), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(sizes, fc.nat(5), (payloads, perSegment) => {
        let at = 0;
        const granted: number[] = [];
        for (let start = 0; start < payloads.length; start += perSegment + 1) {
          const frames = payloads.slice(start, start + perSegment + 1).map((bytes, index) => {
            const frame = data(index === 0 ? at : undefined, bytes);
            at += bytes + limits.frameCostBytes;
            return frame;
          });
          granted.push(...byNameAnswers(frames).credits.values());
        }
        // Less than a quarter is not granted at the end, so no sender is left waiting.
        expect(at - (granted.at(-1) ?? 0)).toBeLessThan(quarter);
        expect(granted).toEqual(granted.toSorted((one, next) => one - next));
        for (const end of granted) expect(end).toBeLessThanOrEqual(at);
      }),
    );
  });
});
