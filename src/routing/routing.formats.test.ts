// What a client of one format says and one of another has to hear: nobody may suffer from what somebody else sends.
import { type ControlFrame, type DataFrame, limits, openerBit, ProtocolError } from "@messagepasser/protocol";
import { type Format, formats, json, msgpack, native, type SegmentFormat } from "@messagepasser/protocol/formats";
import { json as originalJson } from "@messagepasser/protocol/original";
import { describe, expect, test } from "vitest";
import { batchOf as segmentOf } from "./encoding.ts";
import { openTo } from "../../test/support/batches.ts";
import { type FakeLink, type FakeRealm, realmOf } from "../../test/support/routing-fakes.ts";

const mine = (1 | openerBit) >>> 0;
const byName = formats.filter(({ addressing }) => addressing === "name");

interface Scene extends FakeRealm {
  readonly alice: FakeLink;
  readonly bob: FakeLink;
  /** Alice says this to Bob. */
  say(...frames: (ControlFrame | DataFrame)[]): void;
}

/** Alice, of a format with segments, has opened to Bob. */
function sceneOf(from: SegmentFormat, to: Format): Scene {
  const realm = realmOf();
  const [alice, bob] = [realm.join("alice", { format: from }), realm.join("bob", { format: to })];
  realm.routing.receive(alice, segmentOf(from, 0, [openTo("bob")]));
  alice.take();
  bob.messages.length = 0;
  alice.messages.length = 0;
  return {
    ...realm,
    alice,
    bob,
    say: (...frames) => void realm.routing.receive(alice, segmentOf(from, bob.address, frames)),
  };
}

function data(fields: Partial<DataFrame> = {}): DataFrame {
  const payload = Uint8Array.of(0x61);
  return { kind: "data", connection: mine, last: true, text: true, offset: 0, payload, ...fields };
}

test("an open's first message reaches a client of another format as it is, and no client of a by-name format", () => {
  const realm = realmOf();
  const [alice, bob] = [realm.join("alice", { format: msgpack }), realm.join("bob", { format: native })];
  const carol = realm.join("carol", { format: json });
  const first = new Uint8Array(limits.maxPayloadBytes).fill(0xff);
  carol.messages.length = 0;
  for (const peer of ["bob", "carol"])
    realm.routing.receive(alice, segmentOf(msgpack, 0, [openTo(peer, { flags: 1, first })]));
  expect(bob.take()).toMatchObject([{ kind: "open", flags: 1, first }]);
  expect(carol.messages.map((message) => JSON.parse(String(message)) as unknown)).toEqual([
    { type: "open", peer: "alice", connection: "alice:1", protocol: "test", metadata: {}, limit: 1_000 },
  ]);
});

describe.for(byName.map((format) => [format.subprotocol, format] as const))("a client of %s", ([, format]) => {
  test("Connection 0, which a by-name format can't name, reaches no client of one: sending it breaks a rule", () => {
    for (const connection of [0, openerBit]) {
      const { bob, say } = sceneOf(native, format);
      expect(() => say(data({ connection }))).toThrow(ProtocolError);
      expect(() => say({ kind: "done", connection })).toThrow(ProtocolError);
      expect(bob.messages).toEqual([]);
    }
  });

  test.for([limits.maxOffset, limits.maxOffset - 100, limits.maxOffset - limits.maxWindowBytes + 1])(
    "a by-name format gets nothing for an offset of %i, where no half can be: sending it breaks a rule",
    (offset) => {
      const { bob, say } = sceneOf(native, format);
      expect(() => say(data({ offset }))).toThrow(ProtocolError);
      if (offset !== limits.maxOffset)
        expect(() => say({ kind: "fin", connection: mine, offset })).toThrow(ProtocolError);
      expect(bob.messages).toEqual([]);
    },
  );

  test("a client of a by-name format gets few messages for many frames, and a segment has no more frames than a native one could", () => {
    const over = { kind: "done", connection: mine } as const;
    const most = limits.maxBatchBytes / 8;
    const { bob, say } = sceneOf(msgpack, format);
    say(...Array.from({ length: most }, () => over));
    expect(bob.messages.length).toBeLessThan(most / 400);
    for (const message of bob.messages) expect(message.length).toBeLessThanOrEqual(limits.maxBatchBytes);
    expect(() => say(...Array.from({ length: most + 1 }, () => over))).toThrow(ProtocolError);
    expect(bob.closed).toBeUndefined();
  });
});

describe("a mark", () => {
  const tokensIn = (link: FakeLink): string[] =>
    link.messages.splice(0).flatMap((message) => /"token":"([^"]+)"/.exec(String(message))?.[1] ?? []);

  test("a mark for the last possible credit may be answered", () => {
    const { bob, alice, routing, say } = sceneOf(native, json);
    const offset = limits.maxOffset - limits.maxWindowBytes;
    say(data({ offset, payload: new Uint8Array(limits.maxPayloadBytes) }));
    const end = offset + limits.maxPayloadBytes + limits.frameCostBytes;
    const token = tokensIn(bob).find((token) => token.includes("."));
    expect(token).toBe(`${alice.address}.1.${end}`);
    alice.take();
    routing.receive(bob, JSON.stringify({ type: "reached", token }));
    const credit = { kind: "credit", connection: 1, received: end, limit: end + limits.firstWindowBytes } as const;
    expect(alice.take()).toEqual([{ kind: "segment", from: bob.address, bytes: native.encode(credit) }]);
  });

  test("a mark's token that was never sent grants nothing to a client that is no peer, and does no harm", () => {
    const { alice, routing, join, bob } = sceneOf(native, json);
    const carol = join("carol");
    for (const address of [carol.address, bob.address, 99, 0])
      routing.receive(bob, JSON.stringify({ type: "reached", token: `${address}.1.5` }));
    expect([...carol.take(), ...alice.take()]).toEqual([]);
    expect(bob.messages).toEqual([]);
  });
});

test("the lines before a bad line of the original's wire arrive", () => {
  const { routing, join, bob } = sceneOf(native, originalJson);
  const carol = join("carol");
  const line = (Meta: number, ConnectionID: string): string =>
    JSON.stringify({ Meta, OtherClient: "carol", ConnectionID, Data: "YQ==" });
  const message = `${line(5, "bob:0")}\n${line(0, "bob:0")}\nno\n${line(0, "bob:0")}`;
  expect(() => routing.receive(bob, message)).toThrow(ProtocolError);
  expect(carol.take()).toMatchObject([
    { kind: "open", connection: 1, peer: "bob", protocol: "a" },
    { kind: "segment", from: bob.address, bytes: native.encode(data({ text: false, offset: undefined })) },
  ]);
});
