import {
  encodeBatch,
  ProtocolError,
  routerAddress,
  type RouterFrame,
  RouterFrameReader,
  routerLimits,
  SegmentReader,
} from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { batchOf } from "../../test/support/batches.ts";
import { type FakeLink, realmOf } from "../../test/support/routing-fakes.ts";
import { ClockTurn } from "./clock-turn.ts";

const { clockEveryBytes, clockEveryMs, fastClockBytes, fastClockEveryMs } = routerLimits;

/** How often a link is told the clock to which so many bytes go each millisecond, in messages of this size. */
function timesTold(bytesPerMs: number, messageBytes: number, forMs: number): number {
  const turn = new ClockTurn();
  let told = 0;
  for (let sent = 0; sent < forMs * bytesPerMs; sent += messageBytes) {
    const nowMs = 1_000_000 + sent / bytesPerMs;
    if (turn.isDue(messageBytes, () => Math.floor(nowMs))) told++;
  }
  return told;
}

/** What a link was told of the time since the last call. */
function timesOf(link: FakeLink): RouterFrame[] {
  const told: RouterFrame[] = [];
  for (const message of link.messages.splice(0)) {
    const segments = new SegmentReader(message as Uint8Array);
    while (segments.next()) {
      if (segments.address !== routerAddress) continue;
      const frames = new RouterFrameReader(segments.bytes, segments.start, segments.end);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next())
        if (frame.kind === "clock" || frame.kind === "measured") told.push(frame);
    }
  }
  return told;
}

test("the clock is told every few milliseconds on a slow link, and ten times a second on a fast one", () => {
  expect(timesTold(250, 1_024, 10_000)).toBeGreaterThan(800);
  expect(timesTold(250, 1_024, 10_000)).toBeLessThanOrEqual(10_000 / clockEveryMs);
  expect(timesTold(12_500, 16_384, 10_000)).toBeLessThanOrEqual(10_000 / clockEveryMs);
  expect(timesTold(1_000_000, 131_114, 10_000)).toBeLessThanOrEqual(10_000 / fastClockEveryMs + 1);
  expect(fastClockBytes / clockEveryMs).toBeGreaterThan(12_500);
});

test("the clock isn't told for a few small messages", () => {
  expect(timesTold(1, clockEveryBytes / 8, clockEveryBytes - 1)).toBeLessThan(2);
});

test("the clock goes before what a peer sends, by itself", () => {
  const realm = realmOf();
  const [alice, bob] = [realm.join("alice"), realm.join("bob")];
  realm.pair(alice, bob);
  const lengths: number[] = [];
  const send = bob.send.bind(bob);
  bob.send = (message) => {
    lengths.push(message.length);
    send(message);
  };
  const bytes = new Uint8Array(clockEveryBytes);
  realm.routing.receive(alice, batchOf([bob.address, bytes], [bob.address, bytes]));
  expect(lengths).toEqual([16, 2 * (clockEveryBytes + 8)]);
});

test("a client that measures is told when what it sent arrived, and not the clock as well", () => {
  const realm = realmOf();
  const [alice, bob] = [realm.join("alice"), realm.join("bob")];
  realm.pair(alice, bob);
  const measure = encodeBatch(routerAddress, { kind: "measure" });
  timesOf(alice);
  realm.runtime.nowMs = 2 ** 32 + 5_000;
  realm.routing.receive(alice, measure);
  expect(timesOf(alice)).toEqual([{ kind: "measured", timeMs: 5_000 }]);
  realm.routing.receive(bob, batchOf([alice.address, new Uint8Array(clockEveryBytes)]));
  expect(timesOf(alice)).toEqual([]);
  realm.runtime.nowMs += clockEveryMs;
  realm.routing.receive(bob, batchOf([alice.address, new Uint8Array(clockEveryBytes)]));
  expect(timesOf(alice)).toEqual([{ kind: "clock", timeMs: 5_000 + clockEveryMs }]);
});

test("a second measure in one message ends the link, as each costs an answer", () => {
  const realm = realmOf();
  const alice = realm.join("alice");
  const measures = encodeBatch(routerAddress, { kind: "measure" }, { kind: "measure" });
  expect(() => realm.routing.receive(alice, measures)).toThrow(ProtocolError);
});
