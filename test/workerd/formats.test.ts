import { anySession, closeCodes, heartbeat, limits, originalLimits, subprotocols } from "@messagepasser/protocol";
import { formats, type SegmentFormat, type WireMessage } from "@messagepasser/protocol/formats";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { encodeGob, gobDefinition } from "../../protocol/src/original/gob.ts";
import gobVectors from "../../protocol/vectors/gob.json" with { type: "json" };
import jsonVectors from "../../protocol/vectors/json.json?raw";
import msgpackVectors from "../../protocol/vectors/msgpack.json" with { type: "json" };
import originalVectors from "../../protocol/vectors/original.json?raw";
import protobufVectors from "../../protocol/vectors/protobuf.json" with { type: "json" };
import { batchOf } from "../../src/routing/encoding.ts";
import { fromHex } from "../support/frame-vectors.ts";
import { messageOf, type NamedVectors } from "../support/named-vectors.ts";
import { expectProblem, Realm } from "./realm.ts";
import { segment } from "../support/batches.ts";
import { basic } from "../support/credentials.ts";
import { type AnyItem, type AnyLink } from "../support/readings.ts";
import { upgrade } from "./upgrade.ts";

const realm = new Realm();
const { json, msgpack, originalGob, originalJson } = subprotocols;
/** Go on talking whatever Alice sends, as the vectors have it. */
let zoe: AnyLink;
let yuri: AnyLink;
let yurisAddress: unknown;
/** Has been opened to by Alice, and gets nothing that it would suffer from. */
let vera: AnyLink;
let secret: string;

beforeAll(async () => {
  zoe = await realm.joinIn(msgpack, "zoe");
  yuri = await realm.joinIn(json, "yuri");
  vera = await realm.joinIn(json, "vera");
  ({ secret } = await realm.add("alice"));
  zoe.send(batchOf(segmentFormat(msgpack), 0, [openTo("yuri")]));
  expect(await yuri.next()).toMatchObject({ type: "open", peer: "zoe" });
  const routed = await zoe.next();
  expect(routed).toMatchObject({ kind: "routed" });
  yurisAddress = routed["address"];
});

/** Two who have nothing to do with Alice heard nothing of it, and go on talking. */
beforeEach(() => async () => {
  const payload = crypto.getRandomValues(new Uint8Array(20));
  const data = { kind: "data", connection: 0x8000_0001, last: true, text: false, offset: undefined, payload } as const;
  zoe.send(batchOf(segmentFormat(msgpack), Number(yurisAddress), [data]));
  const heard = await yuri.next();
  expect(heard).toMatchObject({ type: "data", peer: "zoe", connection: "zoe:1" });
  yuri.json(heard);
  expect(await zoe.next()).toEqual({ from: yurisAddress, ...data, connection: 1 });
});

afterAll(() => {
  for (const link of [zoe, yuri, vera]) link[Symbol.dispose]();
});

function segmentFormat(subprotocol: string): SegmentFormat {
  const format = formats.find((format) => format.subprotocol === subprotocol);
  if (format?.addressing !== "address") throw new Error(`${subprotocol} has no segments`);
  return format;
}

function openTo(peer: string) {
  const rest = { protocol: "p", limit: 1_000, metadata: {}, flags: 0, first: new Uint8Array() };
  return { kind: "open", connection: 1, address: 0, session: anySession, peer, ...rest } as const;
}

/** The last that a client hears, in its own format, and then the close; the original's wire has no way to say it. */
async function expectClosed(link: AnyLink, format: string, code: number, reason: string | RegExp): Promise<void> {
  const closing = await link.closed();
  expect(closing).toEqual({ code, reason: expect.stringMatching(reason) });
  const last: AnyItem | undefined = link.unread.at(-1);
  if (format === json)
    expect(last).toMatchObject({ type: "closing", code, reason: expect.stringContaining(closing.reason) });
  else if (!format.startsWith("mp.v0"))
    expect(last).toMatchObject({ kind: "closing", code, reason: expect.stringContaining(closing.reason) });
  expect(link.unread.filter((item) => item["type"] === "closing" || item["kind"] === "closing").length).toBeLessThan(2);
}

function escaped(text: string): string {
  return text.replaceAll(/[^\w\s]/g, "\\$&");
}

/** Without what would be a pattern, and as short as a close frame has room for. */
function reasonOf(error: string): RegExp {
  return new RegExp(`^${escaped(error.slice(0, 120))}$`);
}

describe("an upgrade", () => {
  test.for(["chat", "mp.v2", "MP.V1", "mp.v1.jso", "mp.v1.json2", ""])(
    'an upgrade that offers only the format "%s" is refused with the formats of the router',
    async (offered) => {
      const authorization = basic("alice", secret);
      const headers = { authorization, "sec-websocket-protocol": offered };
      const detail = await expectProblem(await upgrade(`/connect/${realm.name}`, headers), 400, "bad-request");
      for (const { subprotocol } of formats) expect(detail).toMatch(new RegExp(`\\b${escaped(subprotocol)}\\b`));
    },
  );

  test.for(formats.map(({ subprotocol }) => subprotocol))(
    "an upgrade gets the first offered format that the router knows: %s",
    async (wanted) => {
      const others = formats.map(({ subprotocol }) => subprotocol).filter((subprotocol) => subprotocol !== wanted);
      const offered = ["soap", wanted, ...others].join(", ");
      const headers = { authorization: basic("alice", secret), "sec-websocket-protocol": offered };
      const response = await upgrade(`/connect/${realm.name}`, headers);
      expect(response.status).toBe(101);
      expect(response.headers.get("sec-websocket-protocol")).toBe(wanted);
      response.webSocket?.accept();
      response.webSocket?.close(1000);
    },
  );
});

const named = (text: string): { comment: string; message: WireMessage; error: string }[] =>
  (JSON.parse(text) as NamedVectors).invalid.flatMap(({ comment, message, error }) =>
    message === undefined ? [] : { comment, message: messageOf(message), error },
  );
const badMessages = [
  ...named(jsonVectors).map((vector) => ({ ...vector, format: json })),
  ...named(originalVectors).map((vector) => ({ ...vector, format: originalJson })),
  // One has a good value before its fault, of a Connection that there can't be here.
  ...gobVectors.invalid
    .filter(({ comment }) => comment !== "two encoders in one stream")
    .map(({ comment, hex, error }) => ({ comment, format: originalGob, message: fromHex(hex), error })),
  {
    comment: "a definition twice",
    format: originalGob,
    message: Uint8Array.of(...gobDefinition, ...gobDefinition),
    error: `Second definition of type 64 at byte ${gobDefinition.length}`,
  },
  { comment: "a binary message", format: json, message: new Uint8Array(2), error: "Binary message on a text format" },
  { comment: "a text message", format: originalGob, message: "{}", error: "Text message on a binary format" },
  ...[subprotocols.native, msgpack, subprotocols.protobuf].map((format) => {
    return { comment: "a text message", format, message: "[]", error: "Text message on a binary format at byte 0" };
  }),
];

test.for(badMessages)("an invalid message closes the link that it came on: $format, $comment", async (vector) => {
  using alice = await realm.linkIn(vector.format, "alice", secret);
  alice.send(vector.message);
  await expectClosed(alice, vector.format, closeCodes.malformed, reasonOf(vector.error));
});

const badFrames = [
  ...msgpackVectors.invalid.map((vector) => ({ ...vector, format: msgpack })),
  ...protobufVectors.invalid.map((vector) => ({ ...vector, format: subprotocols.protobuf })),
];

test.for(badFrames.filter(({ range }) => range === "router"))(
  "an invalid frame for the router closes the link that it came on: $format, $comment",
  async ({ format, hex, error }) => {
    using alice = await realm.linkIn(format, "alice", secret);
    alice.send(segment(0, fromHex(hex)));
    const { code, reason } = await alice.closed();
    // Where a good frame stands before, it is a bye.
    if (code === 1000) return;
    expect(code).toBe(closeCodes.malformed);
    // A frame before the bad one may be refused already, since only the router sends it.
    if (!reason.includes("is the router's to send")) await expectClosed(alice, format, code, reasonOf(movedOn(error)));
  },
);

test.for(badFrames.filter(({ range }) => range === "peer"))(
  "an invalid frame for a peer of another format closes the link that it came on: $format, $comment",
  async ({ format, hex, error }) => {
    using alice = await realm.linkIn(format, "alice", secret);
    alice.send(batchOf(segmentFormat(format), 0, [openTo("vera")]));
    const { address } = await alice.next();
    expect(await vera.next()).toMatchObject({ type: "open", peer: "alice" });
    alice.send(segment(Number(address), fromHex(hex)));
    await expectClosed(alice, format, closeCodes.malformed, reasonOf(movedOn(error)));
    expect(await vera.next()).toEqual({ type: "gone", peer: "alice", reason: "lost" });
    await vera.expectOpen();
  },
);

/** The place counts from the start of the batch, the vector's from the start of the segment's frames. */
function movedOn(error: string): string {
  return error.replace(/(?<=at byte )\d+$/, (at) => String(Number(at) + 8));
}

describe("a message that is too long", () => {
  const line = `{"Meta":2,"OtherClient":"vera","ConnectionID":"alice:0"}\n`;
  const value = encodeGob({ meta: 2, otherClient: "vera", connectionId: "alice:0", data: new Uint8Array() });
  test.for([
    { format: json, message: " ".repeat(limits.maxBatchBytes + 1) },
    { format: json, message: `{"type":"data","text":"${"亀".repeat(limits.maxBatchBytes / 3)}"}` },
    { format: json, message: "x".repeat(32 * 2 ** 20) },
    { format: originalJson, message: line + " ".repeat(originalLimits.maxMessageBytes) },
    { format: originalJson, message: "[".repeat(30 * 2 ** 20) },
    { format: originalGob, message: new Uint8Array([...gobDefinition, ...value, ...new Uint8Array(2 ** 23)]) },
    { format: msgpack, message: new Uint8Array(limits.maxBatchBytes + 1) },
    { format: subprotocols.protobuf, message: new Uint8Array(32 * 2 ** 20) },
  ])(
    "a message that is too long closes the link before it is read: $format, $message.length long",
    async ({ format, message }) => {
      using alice = await realm.linkIn(format, "alice", secret);
      alice.send(message);
      await expectClosed(alice, format, closeCodes.malformed, /^(Message|Batch) of \d+ bytes/);
    },
  );
});

test.for(formats.map(({ subprotocol }) => subprotocol))(
  "the heartbeat is the same in every format: %s",
  async (format) => {
    using alice = await realm.linkIn(format, "alice", secret);
    for (let times = 0; times < 2; times++) await alice.expectOpen();
    // Nothing but exactly this is.
    alice.send(`${heartbeat.ping} `);
    await expectClosed(alice, format, closeCodes.malformed, /./);
  },
);
