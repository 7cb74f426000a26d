import { limits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { Budget } from "./budget.ts";
import { Downlink } from "../link/downlink.ts";
import { Paths } from "../session/paths.ts";
import { Receiver } from "./receiver.ts";

// A receiver at the end of a long path. What it grants, and when, decides how much of the path a sender can use.

interface Path {
  readonly roundTripMs: number;
  readonly bytesPerMs: number;
  readonly payloadBytes: number;
}

/** The share of a path that is used in each second, by a sender that always has something for a reader that waits for all. */
function sharesOf({ roundTripMs, bytesPerMs, payloadBytes }: Path, seconds: number): number[] {
  const cost = payloadBytes + limits.frameCostBytes;
  const payload = new Uint8Array(payloadBytes);
  let nowMs = 0;
  const credits: { readonly atMs: number; readonly limit: number }[] = [];
  const sink = {
    credit: (_received: number, limit: number) => void credits.push({ atMs: nowMs + roundTripMs / 2, limit }),
    unfit: (error: Error) => {
      throw error;
    },
  };
  const path = new Paths(new Budget(), new Downlink({ now: () => nowMs, after: () => () => undefined })).to("bob");
  const receiver = new Receiver(sink, limits.maxPayloadBytes, () => nowMs, path);
  receiver.begin();
  let allowed = receiver.position().limit;
  /** When each frame on its way arrives: one after the other, as fast as the path carries them. */
  const arrivals: number[] = [];
  let [sent, freeMs] = [0, 0];
  const send = (): void => {
    for (; sent + cost <= allowed; sent += cost) {
      freeMs = Math.max(freeMs, nowMs) + payloadBytes / bytesPerMs;
      arrivals.push(freeMs + roundTripMs / 2);
    }
  };

  const bytesIn = Array.from({ length: seconds }, () => 0);
  send();
  for (let [frame, credit] = [0, 0]; nowMs < seconds * 1_000;) {
    const [arrivalMs, creditMs] = [arrivals[frame] ?? Infinity, credits[credit]?.atMs ?? Infinity];
    nowMs = Math.min(arrivalMs, creditMs);
    if (creditMs <= arrivalMs) {
      allowed = credits[credit++]?.limit ?? allowed;
      send();
      continue;
    }
    frame++;
    receiver.data({ kind: "data", connection: 1, last: true, text: false, offset: (frame - 1) * cost, payload });
    void receiver.receive(undefined);
    const second = Math.floor(nowMs / 1_000);
    if (second < seconds) bytesIn[second] = (bytesIn[second] ?? 0) + payloadBytes;
  }
  return bytesIn.map((bytes) => bytes / 1_000 / bytesPerMs);
}

test.each([1_024, 16_384, limits.maxPayloadBytes])(
  "a receiver's window fills a long path within 4 s, with frames of %i bytes",
  (payloadBytes) => {
    for (const [roundTripMs, bytesPerMs] of [
      [180, 10_757],
      [100, 5_000],
      [100, 50_000],
      [40, 100_000],
      [20, 20_000],
    ] as const) {
      const shares = sharesOf({ roundTripMs, bytesPerMs, payloadBytes }, 6);
      for (const share of shares.slice(4)) expect(share, `${roundTripMs} ms`).toBeGreaterThan(0.95);
    }
  },
);
