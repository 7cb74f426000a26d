import { type ControlFrame, dataFlags, limits, openerBit, type PeerFrame } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import type { Clock } from "../link/platform.ts";
import { Paths } from "../session/paths.ts";
import { Upkeep } from "./upkeep.ts";
import { Budget } from "./budget.ts";
import { Channel } from "./channel.ts";
import type { ChannelStart } from "./channel-start.ts";
import { Downlink } from "../link/downlink.ts";
import type { Destination } from "./route.ts";

const clock: Clock = { now: () => 0, after: () => () => undefined, random: () => 0 };

function startOf(key: number): ChannelStart {
  const budget = new Budget();
  return {
    key,
    peer: "bob",
    protocol: "p",
    metadata: {},
    maxMessageBytes: 100,
    shared: { clock, budget, upkeep: new Upkeep(clock) },
    home: { peer: undefined },
    path: new Paths(budget, new Downlink(clock)).to("bob"),
    reopen: () => undefined,
    onForgotten: () => undefined,
  };
}

/** A link that notes the kinds of frames, and gives everyone a turn at once. */
function linkTo(written: string[], onFrame?: (frame: ControlFrame) => void): Destination {
  const carrier: Destination["carrier"] = {
    isFull: false,
    pieceBytes: limits.maxPayloadBytes,
    frame: (_, frame) => {
      written.push(frame.kind);
      onFrame?.(frame);
    },
    data: () => void written.push("data"),
    requestTurn: (turn) => {
      while (turn.takeTurn());
    },
  };
  return { carrier, address: 1 };
}

/** A channel that was opened from here and accepted, and the kinds of frames that it has written. */
function opened(limit = 10_000): { channel: Channel; written: string[] } {
  const written: string[] = [];
  const channel = new Channel(startOf(1));
  channel.routed(linkTo(written));
  channel.receive({ kind: "credit", connection: 1, received: 0, limit });
  return { channel, written };
}

function data(payload: Uint8Array, flags: number, offset?: number): PeerFrame {
  return {
    kind: "data",
    connection: 1,
    last: (flags & dataFlags.last) !== 0,
    text: (flags & dataFlags.text) !== 0,
    offset,
    payload,
  };
}

describe("a channel", () => {
  test("a channel whose next message is unfit gives nothing of what came after it", async () => {
    const badText = opened().channel;
    badText.receive(data(new Uint8Array([0xff]), dataFlags.text | dataFlags.last));
    badText.receive(data(new TextEncoder().encode("second"), dataFlags.text | dataFlags.last));
    await expect(badText.receiver.receive(undefined)).rejects.toMatchObject({ code: "violation" });
    await expect(badText.receiver.receive(undefined)).rejects.toMatchObject({ code: "violation" });

    const tooLarge = opened().channel;
    tooLarge.receive(data(new Uint8Array(90), 0));
    tooLarge.receive(data(new Uint8Array(20), dataFlags.last));
    tooLarge.receive(data(new Uint8Array(5), dataFlags.last));
    await expect(tooLarge.receiver.receive(undefined)).rejects.toMatchObject({ code: "message-too-large" });
    await expect(tooLarge.receiver.receive(undefined)).rejects.toMatchObject({ code: "message-too-large" });
  });

  test("a channel that has failed says so to every waiting and later call, and closes without a word", async () => {
    const { channel } = opened(0);
    const waiting = Promise.allSettled([
      channel.send("unsent", undefined),
      channel.end(undefined),
      channel.end(undefined),
    ]);
    channel.receive({ kind: "reset", connection: 1, code: 103, reason: "" });
    for (const each of await waiting) expect(each).toMatchObject({ status: "rejected", reason: { code: "aborted" } });
    await expect(channel.end(undefined)).rejects.toMatchObject({ code: "aborted" });
    await channel.close(undefined);
  });

  test("a channel whose other end stopped reading has ended its direction well", async () => {
    const { channel } = opened(0);
    const sending = channel.send("unsent", undefined);
    const endings = [channel.end(undefined), channel.end(undefined), channel.close(undefined)];
    channel.receive({ kind: "stop", connection: 1 });
    await expect(sending).rejects.toMatchObject({ code: "closed" });
    await Promise.all(endings);
    await channel.end(undefined);
  });

  test("a channel goes on when a send that held others up is aborted", async () => {
    // After the first message there is room for an empty frame, and none for a byte.
    const { channel, written } = opened(60 + 16 + 16);
    await channel.send(new Uint8Array(60), undefined);
    const controller = new AbortController();
    const stuck = channel.send("x", controller.signal);
    const ending = channel.end(undefined);
    expect(written).toEqual(["data"]);
    controller.abort(new Error("enough"));
    await expect(stuck).rejects.toThrow("enough");
    await ending;
    expect(written).toEqual(["data", "fin"]);
  });

  const ways: readonly (readonly [what: string, lose: (bytes: Uint8Array<ArrayBuffer>) => unknown])[] = [
    ["transfers", (bytes) => structuredClone(bytes.buffer, { transfer: [bytes.buffer] })],
    ["shortens", (bytes) => bytes.buffer.resize(10)],
  ];

  test.each(ways)("a send fails alone when its program %s the buffer before any of it has left", async (_, lose) => {
    const { channel, written } = opened(0);
    const bytes = new Uint8Array(new ArrayBuffer(1_000, { maxByteLength: 1_000 }));
    const sending = channel.send(bytes, undefined);
    const next = channel.send("next", undefined);
    lose(bytes);
    channel.receive({ kind: "credit", connection: 1, received: 0, limit: 10_000 });
    await expect(sending).rejects.toThrow("its buffer is gone");
    await next;
    expect(written).toEqual(["data"]);
    expect(channel.isOver).toBe(false);
  });

  test.each(ways)("a channel is aborted when its program %s a buffer that has left in part", async (_, lose) => {
    const { channel, written } = opened(limits.minWindowBytes);
    const bytes = new Uint8Array(new ArrayBuffer(100_000, { maxByteLength: 100_000 }));
    const controller = new AbortController();
    const sending = channel.send(bytes, undefined);
    const next = channel.send("next", controller.signal);
    lose(bytes);
    channel.receive({ kind: "credit", connection: 1, received: 0, limit: 1_000_000 });
    await expect(sending).rejects.toThrow("its buffer is gone");
    await expect(next).rejects.toMatchObject({ code: "aborted" });
    expect(written).toEqual(["data", "reset"]);
  });

  test("a signal that ends the wait of a send whose buffer is gone throws nothing by itself", async () => {
    const { channel } = opened(limits.minWindowBytes);
    const bytes = new Uint8Array(100_000);
    const controller = new AbortController();
    const sending = channel.send(bytes, controller.signal);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    controller.abort(new Error("enough"));
    await expect(sending).rejects.toThrow("enough");
    channel.receive({ kind: "credit", connection: 1, received: 0, limit: 1_000_000 });
    expect(channel.isOver).toBe(true);
  });

  test("a subclass of Uint8Array whose methods throw is sent like any bytes", async () => {
    class Odd extends Uint8Array {
      static get [Symbol.species](): never {
        throw new Error("no species");
      }
      override subarray(): never {
        throw new Error("no subarray");
      }
    }
    const { channel, written } = opened(0);
    const sending = channel.send(new Odd(1_000), undefined);
    channel.receive({ kind: "credit", connection: 1, received: 0, limit: 10_000 });
    await sending;
    expect(written).toEqual(["data"]);
  });

  test("a channel tells about credit that it gives on a new route before the other end's position has come", async () => {
    const { channel } = opened();
    const frames: ControlFrame[] = [];
    channel.receive(data(new Uint8Array(limits.maxPayloadBytes), 0, 0));
    channel.receive(data(new Uint8Array(limits.maxPayloadBytes), dataFlags.last));
    channel.bind(linkTo([], (frame) => void frames.push(frame)));
    const [first, second] = [channel.receiver.receivePiece(), channel.receiver.receivePiece()];
    expect([(await first)?.payload.length, (await second)?.payload.length]).toEqual([
      limits.maxPayloadBytes,
      limits.maxPayloadBytes,
    ]);
    const { limit } = channel.receiver.position();
    // One for each quarter of the window.
    expect(frames.map(({ kind }) => kind)).toEqual(["credit", "credit", "credit"]);
    expect(frames.at(-1)).toMatchObject({ limit });
  });

  test.each([
    ["takes back what it acknowledged", 0, 10_000],
    ["grants less than was sent", 26, 5],
  ])(
    "a channel is reset, and does nothing else, by a first credit on a new route that %s",
    async (_, received, limit) => {
      const written: string[] = [];
      const connection = (openerBit | 1) >>> 0;
      const channel = new Channel(startOf(connection), { from: linkTo(written), limit: 10_000 });
      await channel.send("ten bytes!", undefined);
      channel.receive({ kind: "credit", connection, received: 26, limit: 10_000 });
      await channel.send("more", undefined);
      channel.bind(linkTo(written));
      channel.receive({ kind: "credit", connection, received, limit });
      expect(written).toEqual(["credit", "data", "data", "credit", "reset"]);
      expect(await channel.closed).toMatchObject({ code: "violation" });
    },
  );

  test.each(["data", "fin", "stop", "yield"] as const)(
    "a channel is reset by a %s before the other end's first credit",
    (kind) => {
      const written: string[] = [];
      const channel = new Channel(startOf(1));
      channel.routed(linkTo(written));
      const frames: Record<typeof kind, PeerFrame> = {
        data: data(new Uint8Array(1), dataFlags.last, 0),
        fin: { kind: "fin", connection: 1, offset: 0 },
        stop: { kind: "stop", connection: 1 },
        yield: { kind: "yield", connection: 1, granted: 0, limit: 0 },
      };
      channel.receive(frames[kind]);
      expect(written).toEqual(["reset"]);
      expect(channel.isOver).toBe(true);
    },
  );

  test.each(["data", "credit", "fin", "stop"] as const)(
    "a channel that is not accepted yet is reset by a %s",
    (kind) => {
      const written: string[] = [];
      const connection = (openerBit | 1) >>> 0;
      const channel = new Channel(startOf(connection), { from: linkTo(written), limit: 1_000 });
      const frames: Record<typeof kind, PeerFrame> = {
        data: { ...data(new Uint8Array(1), dataFlags.last, 0), connection },
        credit: { kind: "credit", connection, received: 0, limit: 2_000 },
        fin: { kind: "fin", connection, offset: 0 },
        stop: { kind: "stop", connection },
      };
      channel.receive(frames[kind]);
      expect(written).toEqual(["reset"]);
    },
  );

  test("a channel whose open was sent more than once says where it stands before all else that it sends", async () => {
    const written: string[] = [];
    const channel = new Channel(startOf(1));
    channel.opens = 2;
    channel.routed(linkTo(written));
    channel.receive({ kind: "credit", connection: 1, received: 0, limit: 1_000 });
    await channel.send("hello", undefined);
    expect(written).toEqual(["credit", "data"]);
  });
});

describe("a small message", () => {
  test("a small message waits for credit rather than going in pieces, where the other end keeps a window for it", () => {
    const [limit, message] = [limits.minWindowBytes, new Uint8Array(4_000)];
    const { channel, written } = opened(limit);
    for (let sent = 0; sent < 5; sent++) void channel.send(message, undefined);
    expect(written.filter((kind) => kind === "data")).toHaveLength(4);
    channel.receive({ kind: "credit", connection: 1, received: 0, limit: 2 * limit });
    expect(written.filter((kind) => kind === "data")).toHaveLength(5);
  });

  test("a small message goes in pieces where the other end may never have room for it", () => {
    const { channel, written } = opened(1_000);
    void channel.send(new Uint8Array(4_000), undefined);
    expect(written).toContain("data");
  });
});
