// A new format takes one object, here in a test, that no other code knows. Its clients talk with all others.
import {
  type ControlFrame,
  type DataFrame,
  openerBit,
  type PeerFrame,
  ProtocolError,
  type RouterFrame,
} from "@messagepasser/protocol";
import { json, type NamedFormat, native, type SegmentFormat } from "@messagepasser/protocol/formats";
import { describe, expect, test } from "vitest";
import { framesIn } from "../../../src/routing/encoding.ts";
import { batchOf, openTo, toRouter } from "../../../test/support/batches.ts";
import { type FakeLink, type FakeRealm, realmOf } from "../../../test/support/routing-fakes.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Frames as JSON, each on a line, in segments. */
const lines: SegmentFormat = {
  subprotocol: "toy.lines",
  addressing: "address",
  encode: (frame) =>
    encoder.encode(
      `${JSON.stringify(frame, (_key, value: unknown) => (value instanceof Uint8Array ? { bytes: [...value] } : value))}\n`,
    ),
  routerFrames: (bytes, start, end) => new LineReader<RouterFrame>(bytes, start, end),
  peerFrames: (bytes, start, end) => new LineReader<PeerFrame>(bytes, start, end),
};

/** A toy: it believes what it reads, as a format that the world can send to must not. */
class LineReader<Frame> {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  position: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.position = start;
    this.#end = end;
  }

  next(): Frame | undefined {
    if (this.position === this.#end) return undefined;
    const lineEnd = this.#bytes.indexOf(0x0a, this.position);
    if (lineEnd === -1 || lineEnd >= this.#end) throw new ProtocolError("Line without an end", this.position);
    const line = decoder.decode(this.#bytes.subarray(this.position, lineEnd));
    this.position = lineEnd + 1;
    const isBytes = (value: unknown): value is { bytes: number[] } =>
      typeof value === "object" && value !== null && "bytes" in value;
    return JSON.parse(line, (_key, value: unknown) => (isBytes(value) ? Uint8Array.from(value.bytes) : value)) as Frame;
  }
}

/** Words, such as "bob 1 hello": to or from whom, on which of the opener's Connections, and what. */
const words: NamedFormat = {
  subprotocol: "toy.words",
  addressing: "name",
  maxMessageBytes: 1_000,
  hasHeartbeat: false,
  preamble: ["hi"],
  *decode(message, { name }) {
    const [peer = "", id = "", ...rest] = String(message).split(" ");
    const connection = Number(id);
    if (!Number.isInteger(connection) || connection < 1) throw new ProtocolError("A message without a Connection");
    if (rest[0] === "?") {
      const open = openTo(peer, { connection, limit: 1_000, protocol: rest[1] ?? name });
      // Made by a function whose frame may be of any kind.
      yield { to: "router", frame: open as RouterFrame };
      return;
    }
    const payload = encoder.encode(rest.join(" "));
    const mine = (connection | openerBit) >>> 0;
    yield {
      to: "peer",
      peer,
      frame: { kind: "data", connection: mine, last: true, text: true, offset: undefined, payload },
    };
  },
  encodeRouter: (frames) => frames.map((frame) => `router ${frame.kind}`),
  encodePeer: (frames, peer) =>
    frames.map(
      (frame) =>
        `${peer} ${frame.connection & ~openerBit} ${frame.kind === "data" ? decoder.decode(frame.payload) : frame.kind}`,
    ),
  encodeGone: (peer) => [`${peer} gone`],
  encodeMark: (token) => `router mark ${token}`,
};

/** A segment of a format's frames. */
function segment(format: SegmentFormat, address: number, ...frames: (ControlFrame | DataFrame)[]): Uint8Array {
  return batchOf([address, Uint8Array.from(frames.flatMap((frame) => [...format.encode(frame)]))]);
}

function say(text: string): DataFrame {
  const payload = encoder.encode(text);
  return { kind: "data", connection: (1 | openerBit) >>> 0, last: true, text: true, offset: 0, payload };
}

/** The messages to a link of the toy's, frame by frame, with their senders. */
function heardInLines(link: FakeLink): object[] {
  return link.messages.splice(0).flatMap((message) => {
    const batch = message as Uint8Array;
    const from = new DataView(batch.buffer, batch.byteOffset).getUint32(0);
    const frames = framesIn(
      (from === 0 ? lines.routerFrames : lines.peerFrames)(batch, 8, batch.length) as LineReader<object>,
    );
    return frames.map((frame) => ({ from, ...frame }));
  });
}

/** Alice opens to all others. */
function openToAll({ routing }: FakeRealm, alice: FakeLink, ...others: readonly FakeLink[]): void {
  for (const { name } of others) routing.receive(alice, segment(lines, 0, openTo(name)));
  alice.messages.length = 0;
}

describe("a format of frames in segments that is one object", () => {
  test("a segment format that is one object can talk with every other format", () => {
    const realm = realmOf();
    const { routing, join } = realm;
    const alice = join("alice", { format: lines });
    const [bob, carol, dave] = [join("bob"), join("carol", { format: json }), join("dave", { format: lines })];
    openToAll(realm, alice, bob, carol, dave);
    expect(bob.take()).toMatchObject([{ kind: "open", peer: "alice", address: alice.address }]);
    expect(carol.messages.splice(0).map((message) => JSON.parse(String(message)) as object)).toMatchObject([
      { type: "open", peer: "alice", connection: "alice:1" },
    ]);
    expect(heardInLines(dave)).toMatchObject([{ from: 0, kind: "open", peer: "alice" }]);

    for (const { address } of [bob, carol, dave]) routing.receive(alice, segment(lines, address, say("hello")));
    expect(bob.take()).toEqual([{ kind: "segment", from: alice.address, bytes: native.encode(say("hello")) }]);
    expect(carol.messages).toEqual([
      JSON.stringify({ type: "data", peer: "alice", connection: "alice:1", text: "hello" }),
    ]);
    expect(heardInLines(dave)).toEqual([{ from: alice.address, ...say("hello") }]);
    // For Carol, whose format says nothing of it.
    expect(heardInLines(alice)).toEqual([
      { from: carol.address, kind: "credit", connection: 1, received: 21, limit: 0 },
    ]);

    routing.receive(bob, segment(native, alice.address, say("from bob")));
    routing.receive(carol, JSON.stringify({ type: "data", peer: "alice", connection: "carol:1", text: "from carol" }));
    routing.receive(dave, segment(lines, alice.address, say("from dave")));
    const { offset: _, ...uncounted } = say("");
    expect(heardInLines(alice)).toEqual([
      { from: bob.address, ...say("from bob") },
      // She doesn't count; JSON has no undefined for that.
      { from: carol.address, ...uncounted, payload: encoder.encode("from carol") },
      { from: dave.address, ...say("from dave") },
    ]);
  });

  test("a segment of one format is passed on unread between two clients of it", () => {
    const realm = realmOf();
    const alice = realm.join("alice", { format: lines });
    const bob = realm.join("bob", { format: lines });
    openToAll(realm, alice, bob);
    bob.messages.length = 0;
    const nonsense = Uint8Array.of(1, 2, 3);
    realm.routing.receive(alice, batchOf([bob.address, nonsense]));
    expect(bob.messages).toEqual([batchOf([alice.address, nonsense])]);
  });

  test("a segment format has the first message of an open passed on as it is", () => {
    const { routing, join } = realmOf();
    const alice = join("alice", { format: lines });
    const bob = join("bob");
    routing.receive(alice, segment(lines, 0, openTo("bob", { flags: 3, first: Uint8Array.of(1, 2) })));
    expect(bob.take()).toMatchObject([{ kind: "open", flags: 3, first: Uint8Array.of(1, 2) }]);
  });
});

test("a by-name format that is one object can talk with every other format", () => {
  const { routing, join, links } = realmOf();
  const walter = links.make("walter", { format: words, lastHeardMs: 1_000_000 });
  routing.join(walter);
  expect(walter.messages.splice(0)).toEqual(["hi", "router welcome"]);
  const [bob, carol] = [join("bob"), join("carol", { format: json })];
  for (const name of ["bob", "carol", "nobody"]) routing.receive(walter, `${name} 1 ? chat`);
  expect(walter.messages.splice(0)).toEqual(["router routed", "router routed", "router refused"]);
  expect(bob.take()).toMatchObject([{ kind: "open", peer: "walter", protocol: "chat" }]);
  expect(carol.messages.splice(0)).toHaveLength(1);

  for (const name of ["bob", "carol", "nobody"]) routing.receive(walter, `${name} 1 hello, you`);
  expect(walter.messages.splice(0)).toEqual(["nobody gone"]);
  expect(bob.take()).toEqual([
    { kind: "segment", from: walter.address, bytes: native.encode({ ...say("hello, you"), offset: undefined }) },
  ]);
  expect(carol.messages).toEqual([
    JSON.stringify({ type: "data", peer: "walter", connection: "walter:1", text: "hello, you" }),
  ]);

  routing.receive(bob, toRouter(openTo("walter", { connection: 2 })));
  routing.receive(bob, segment(native, walter.address, say("from bob")));
  routing.receive(carol, JSON.stringify({ type: "data", peer: "walter", connection: "carol:1", text: "from carol" }));
  expect(walter.messages).toEqual(["router open", "bob 1 from bob", "carol 1 from carol"]);
  expect(() => routing.receive(walter, "bob hello")).toThrow(ProtocolError);
});
