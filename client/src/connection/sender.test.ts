import { limits } from "@messagepasser/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { Kept } from "./budget.ts";
import { Sender } from "./sender.ts";

const { firstWindowBytes, frameCostBytes, maxPayloadBytes } = limits;
const cost = maxPayloadBytes + frameCostBytes;

let sender: Sender;
let sizes: number[];

function senderWith(windowBytes: number): Sender {
  const sink = {
    isReady: () => true,
    data: (_flags: number, _offset: number, payload: Uint8Array) => void sizes.push(payload.length),
    fin: () => undefined,
    yield: () => undefined,
    waitForAcknowledgement: () => undefined,
    requestTurn: () => void sender.takeTurn(),
  };
  const kept = new Kept({ bytes: 0, maxBytes: limits.maxUnacknowledgedBytes });
  return new Sender(sink, kept, windowBytes);
}

beforeEach(() => {
  sizes = [];
  sender = senderWith(firstWindowBytes);
});

describe("a frame for which the window has no room", () => {
  test("waits while more credit is on its way, and goes whole then", async () => {
    const sent = Array.from({ length: 5 }, () => sender.send(new Uint8Array(maxPayloadBytes), undefined));
    expect(sizes).toEqual(Array.from({ length: 3 }, () => maxPayloadBytes));
    sender.credit(cost, firstWindowBytes + cost);
    expect(sizes).toEqual(Array.from({ length: 4 }, () => maxPayloadBytes));
    sender.credit(2 * cost, firstWindowBytes + 2 * cost);
    await Promise.all(sent);
    expect(sizes).toEqual(Array.from({ length: 5 }, () => maxPayloadBytes));
  });

  test("goes in pieces once all is acknowledged without more credit: the window has become small", () => {
    const rest = firstWindowBytes - 3 * cost - frameCostBytes;
    for (let count = 0; count < 4; count++) void sender.send(new Uint8Array(maxPayloadBytes), undefined);
    sender.credit(3 * cost, firstWindowBytes);
    expect(sizes).toEqual([maxPayloadBytes, maxPayloadBytes, maxPayloadBytes, rest]);
    sender.credit(firstWindowBytes, firstWindowBytes + 1_000);
    expect(sizes.at(-1)).toBe(maxPayloadBytes - rest);
  });

  test("goes in pieces where the window is small", () => {
    sender = senderWith(100_000);
    for (let count = 0; count < 2; count++) void sender.send(new Uint8Array(maxPayloadBytes), undefined);
    expect(sizes).toEqual([maxPayloadBytes, 100_000 - cost - frameCostBytes]);
  });
});
