import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { after, megabit, quantile, rateOf } from "../../../test/support/line-moments.ts";
import { Uplink } from "./uplink.ts";

interface Line {
  /** There and back, while nothing waits. */
  readonly wayMs: number;
  readonly bytesPerMs: (nowMs: number) => number;
  /** What answers wait for on their way back. */
  readonly backMs?: (nowMs: number) => number;
  /** What arrives waits so long for the router, however little it is. */
  readonly routerMs?: (nowMs: number) => number;
  /** How much the program has had to send by then. Default: more than the line carries. */
  readonly wantedBytes?: (nowMs: number) => number;
}

interface Moment {
  readonly nowMs: number;
  /** How long what is sent now will wait. */
  readonly queueMs: number;
  readonly carriedBytes: number;
  readonly pings: number;
}

const tickMs = 0.5;
const mostWritten = 131_072;
const measureBytes = 12;
/** What the router's clock is ahead by. */
const clockErrorMs = 12_345.6;

/** Sends all that is allowed over a line, in small steps of time. */
function simulate(
  { wayMs, bytesPerMs, backMs = () => 0, routerMs = () => 0, wantedBytes = () => Infinity }: Line,
  forMs: number,
): Moment[] {
  let nowMs = 0;
  const uplink = new Uplink(() => nowMs);
  const moments: Moment[] = [];
  /** Where pings stand in what was sent, and when their answers arrive. */
  const pings: number[] = [];
  const answers: { readonly heardMs: number; readonly routerMs: number }[] = [];
  let [sent, carried, count, lastAnswerMs] = [0, 0, 0, 0];
  const send = (bytes: number): void => {
    const isMeasured = sent === 0 || uplink.isDue(bytes) || uplink.isStuck;
    sent += bytes;
    uplink.sent(bytes, isMeasured);
    if (isMeasured) {
      pings.push(sent);
      count++;
    }
    if (!uplink.isStuck) return;
    sent += measureBytes;
    uplink.sent(measureBytes, true);
    pings.push(sent);
    count++;
  };
  // As at the welcome.
  send(measureBytes);
  for (; nowMs < forMs; nowMs += tickMs) {
    const rate = bytesPerMs(nowMs);
    carried = Math.min(sent, carried + rate * tickMs);
    while ((pings[0] ?? Infinity) <= carried) {
      pings.shift();
      // In order, as everything on a link.
      lastAnswerMs = Math.max(lastAnswerMs, nowMs + wayMs + routerMs(nowMs) + backMs(nowMs));
      const arrivedMs = nowMs + wayMs / 2 + routerMs(nowMs);
      answers.push({ heardMs: lastAnswerMs, routerMs: Math.floor(arrivedMs + clockErrorMs) });
    }
    for (let first = answers[0]; first !== undefined && first.heardMs <= nowMs; first = answers[0]) {
      answers.shift();
      uplink.measured(first.routerMs);
      if (uplink.isStuck) send(measureBytes);
    }
    while (sent < wantedBytes(nowMs) && uplink.roomBytes > 0) {
      const bytes = Math.min(uplink.pieceBytes, mostWritten, wantedBytes(nowMs) - sent);
      // A message is cut there: half a byte would cut a character.
      if (Number.isFinite(uplink.pieceBytes)) expect(uplink.pieceBytes).toSatisfy(Number.isInteger);
      send(bytes);
    }
    moments.push({ nowMs, queueMs: (sent - carried) / rate, carriedBytes: carried, pings: count });
  }
  return moments;
}

describe("what is under way to the router", () => {
  const anyLine = fc.record({
    bytesPerMs: fc.integer({ min: 1 * megabit, max: 100 * megabit }),
    wayMs: fc.integer({ min: 3, max: 150 }),
  });

  test("what is sent waits for some 20 ms on any line, and the line is never idle", () => {
    fc.assert(
      fc.property(anyLine, ({ bytesPerMs, wayMs }) => {
        const moments = after(simulate({ wayMs, bytesPerMs: () => bytesPerMs }, 9_000), 4_000);
        // More on a long way.
        expect(quantile(moments, 0.5)).toBeLessThan(30 + wayMs / 10);
        expect(quantile(moments, 0.95)).toBeLessThan(45 + wayMs / 5);
        expect(rateOf(moments, "carriedBytes")).toBeGreaterThan(0.95 * bytesPerMs);
      }),
      { numRuns: 30 },
    );
  });

  test("where answers come late now and then, the line is still used", () => {
    fc.assert(
      fc.property(anyLine, fc.integer({ min: 1, max: 2_147_483_646 }), ({ bytesPerMs, wayMs }, seed) => {
        // Up to 5 ms each time, and 60 ms once in a hundred times. fast-check's own numbers are too often the extremes.
        let state = seed;
        const backMs = (): number => {
          state = (state * 16_807) % 2_147_483_647;
          const roll = state % 1_000;
          return roll < 10 ? 60 : roll / 200;
        };
        const moments = after(simulate({ wayMs, bytesPerMs: () => bytesPerMs, backMs }, 9_000), 4_000);
        expect(quantile(moments, 0.5)).toBeLessThan(45 + wayMs / 5);
        expect(rateOf(moments, "carriedBytes")).toBeGreaterThan(0.8 * bytesPerMs);
      }),
      { numRuns: 20 },
    );
  });

  test("where a line of 50 Mbit/s falls to 2, little waits within 3 s", () => {
    for (const fallsMs of [4_000, 4_321, 5_050]) {
      const bytesPerMs = (nowMs: number): number => (nowMs < fallsMs ? 50 : 2) * megabit;
      const moments = simulate({ wayMs: 40, bytesPerMs }, 12_000);
      const settled = after(moments, fallsMs + 3_000);
      expect(quantile(settled, 0.95)).toBeLessThan(45);
      expect(rateOf(settled, "carriedBytes")).toBeGreaterThan(0.95 * 2 * megabit);
    }
  });

  test("where a line of 2 Mbit/s rises to 50, all of it is used within 3 s", () => {
    const moments = simulate({ wayMs: 40, bytesPerMs: (nowMs) => (nowMs < 4_000 ? 2 : 50) * megabit }, 9_000);
    expect(rateOf(after(moments, 7_000), "carriedBytes")).toBeGreaterThan(0.95 * 50 * megabit);
  });

  test("where the way becomes longer for good, the line is used again within 5 s", () => {
    const backMs = (nowMs: number): number => (nowMs < 4_000 ? 0 : 150);
    const moments = simulate({ wayMs: 40, bytesPerMs: () => 10 * megabit, backMs }, 14_000);
    expect(rateOf(after(moments, 9_000), "carriedBytes")).toBeGreaterThan(0.9 * 10 * megabit);
  });

  test.each([50, 100, 200, 400])(
    "where answers wait behind some %i ms of others' data, most of the line is still used",
    (othersMs) => {
      const backMs = (nowMs: number): number => (nowMs < 2_000 ? 0 : othersMs * (1 + Math.sin(nowMs / 700) / 5));
      const moments = simulate({ wayMs: 40, bytesPerMs: () => 10 * megabit, backMs }, 20_000);
      expect(rateOf(after(moments, 4_000), "carriedBytes")).toBeGreaterThan(0.6 * 10 * megabit);
    },
  );

  test("where a busy router is late whatever is sent, this isn't sent in small pieces for long", () => {
    const isBusy = (nowMs: number): boolean => nowMs >= 1_000;
    const routerMs = (nowMs: number): number => (isBusy(nowMs) ? 300 + 200 * Math.sin(nowMs / 300) : 0);
    const bytesPerMs = (nowMs: number): number => (isBusy(nowMs) ? 30 : 1_000);
    // Much before that, and then a message of 64 B each 4 ms.
    const wantedBytes = (nowMs: number): number => (isBusy(nowMs) ? 100_000 + 64 * Math.floor(nowMs / 4) : 100 * nowMs);
    const moments = simulate({ wayMs: 10, bytesPerMs, routerMs, wantedBytes }, 30_000);
    const late = after(moments, 12_000);
    expect(rateOf(late, "carriedBytes") / rateOf(late, "pings")).toBeGreaterThan(2_048);
  });

  test("where five links share a line of 2 Mbit/s, little waits in it", () => {
    let nowMs = 0;
    const links = Array.from({ length: 5 }, () => new Uplink(() => nowMs));
    /** What stands in the line, the first first; and answers to the measured parts of that. */
    const line: { readonly link: Uplink; bytes: number; readonly isMeasured: boolean }[] = [];
    const answers: { readonly link: Uplink; readonly heardMs: number; readonly routerMs: number }[] = [];
    let waitingBytes = 0;
    const send = (link: Uplink, bytes: number, isMeasured: boolean): void => {
      link.sent(bytes, isMeasured);
      line.push({ link, bytes, isMeasured });
      waitingBytes += bytes;
      if (link.isStuck) send(link, measureBytes, true);
    };
    for (const link of links) send(link, measureBytes, true);
    const waits: number[] = [];
    for (; nowMs < 40_000; nowMs += tickMs) {
      for (let left = 2 * megabit * tickMs, first = line[0]; first !== undefined && left > 0; first = line[0]) {
        const carried = Math.min(left, first.bytes);
        left -= carried;
        first.bytes -= carried;
        waitingBytes -= carried;
        if (first.bytes > 0) break;
        line.shift();
        if (first.isMeasured)
          answers.push({ link: first.link, heardMs: nowMs + 40, routerMs: Math.floor(nowMs + 20 + clockErrorMs) });
      }
      for (let first = answers[0]; first !== undefined && first.heardMs <= nowMs; first = answers[0]) {
        answers.shift();
        first.link.measured(first.routerMs);
        if (first.link.isStuck) send(first.link, measureBytes, true);
      }
      for (const link of links)
        while (link.roomBytes > 0) {
          const bytes = Math.min(link.pieceBytes, mostWritten);
          send(link, bytes, link.isDue(bytes));
        }
      if (nowMs >= 10_000) waits.push(waitingBytes / (2 * megabit));
    }
    waits.sort((one, other) => one - other);
    expect(waits[Math.floor(waits.length * 0.95)]).toBeLessThan(200);
  });

  test("what waits doesn't become more in the course of a minute", () => {
    const moments = simulate({ wayMs: 40, bytesPerMs: () => 10 * megabit }, 70_000);
    expect(quantile(after(moments, 60_000), 0.5)).toBeLessThan(30);
  });

  test("whatever is sent, and however late answers are, something is sent again", () => {
    const steps = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 200_000 }), waitMs: fc.nat(500) }), {
      maxLength: 200,
      size: "max",
    });
    fc.assert(
      fc.property(steps, (all) => {
        let nowMs = 0;
        const uplink = new Uplink(() => nowMs);
        let waiting = 0;
        for (const { bytes, waitMs } of all) {
          if (uplink.roomBytes > 0) {
            const isMeasured = uplink.isDue(bytes);
            uplink.sent(bytes, isMeasured);
            if (isMeasured) waiting++;
            if (uplink.isStuck) {
              uplink.sent(1, true);
              waiting++;
            }
          } else expect(waiting + (uplink.waitMs ?? 0)).toBeGreaterThan(0);
          nowMs += waitMs;
          if (waitMs % 3 === 0 && waiting > 0) {
            waiting--;
            uplink.measured(nowMs);
            if (uplink.isStuck) {
              uplink.sent(1, true);
              waiting++;
            }
          }
        }
      }),
    );
  });

  test("answers that come at once, as from a router on the same machine, leave room for more at all times", () => {
    let nowMs = 0;
    const uplink = new Uplink(() => nowMs);
    for (; nowMs < 20_000; nowMs += 100) {
      expect(uplink.roomBytes).toBeGreaterThan(0);
      uplink.sent(1_000, true);
      uplink.measured(nowMs);
    }
  });

  test("on a fast line there is at most one ping for 128 KiB", () => {
    const moments = after(simulate({ wayMs: 1, bytesPerMs: () => 200_000 }, 2_000), 100);
    expect(rateOf(moments, "carriedBytes") / rateOf(moments, "pings")).toBeGreaterThan(131_072);
  });

  test("no ping is sent where nothing is, and few where little is", () => {
    expect(simulate({ wayMs: 40, bytesPerMs: () => 1_000, wantedBytes: () => 0 }, 1_000).at(-1)?.pings).toBe(1);
    const little = simulate({ wayMs: 40, bytesPerMs: () => 1_000, wantedBytes: (nowMs) => nowMs }, 10_000);
    expect(little.at(-1)?.pings).toBeLessThan(5);
  });
});
