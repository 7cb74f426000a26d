// The material of mutations: the vectors of each format, and a plain conversation with every peer that exists.
import { anySession, type ControlFrame, type DataFrame, openerBit } from "@messagepasser/protocol";
import type { Format, SegmentFormat } from "@messagepasser/protocol/formats";
import { encodeGob, gobDefinition } from "../../protocol/src/original/gob.ts";
import type { Message } from "../../protocol/src/original/message.ts";
import { fromHex, type HexBytes } from "../support/frame-vectors.ts";
import { messageOf } from "../support/named-vectors.ts";
import { namedVectorsIn, vectorsIn } from "../support/vector-files.ts";
import { builtInPeerNames, peers, self } from "./names.ts";

/** Something to begin with: a whole message, or the frames of a segment for the router or for a peer. */
export interface Seed {
  readonly range: "message" | "router" | "peer";
  readonly bytes: Uint8Array;
}

const encoder = new TextEncoder();
const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** The material of a format's inputs. */
export function seedsOf(format: Format): readonly Seed[] {
  if (format.addressing === "address") return [...segmentSeeds(format), ...talkInSegments(format)];
  switch (format.subprotocol) {
    case "mp.v1.json":
      return [...namedSeeds("json.json"), ...talkInJson()];
    case "mp.v0.json":
      return [...namedSeeds("original.json"), ...originalTalk().map(lineOf)];
    case "mp.v0.gob":
      return gobSeeds();
    default:
      throw new Error(`No seeds for ${format.subprotocol}: name its vectors`);
  }
}

interface FrameVector {
  readonly range: string;
  readonly hex: HexBytes;
}

function segmentSeeds({ subprotocol }: SegmentFormat): Seed[] {
  const vectors: readonly FrameVector[] =
    subprotocol === "mp.v1"
      ? [
          ...(vectorsIn("frames.json") as FrameVector[]),
          ...(vectorsIn("invalid.json") as FrameVector[]),
          ...(vectorsIn("batches.json") as { hex: HexBytes }[]).map(({ hex }) => ({ range: "batch", hex })),
        ]
      : Object.values(vectorsIn(`${subprotocol.replace("mp.v1.", "")}.json`) as Record<string, FrameVector[]>).flat();
  return vectors.map(({ range, hex }) => ({
    range: range === "router" || range === "peer" ? range : "message",
    bytes: fromHex(hex),
  }));
}

/** Every frame that an opener and an acceptor send to each other. */
function talk(connection: number): readonly (ControlFrame | DataFrame)[] {
  const payload = encoder.encode("héllo");
  const data = { kind: "data", connection, last: true, text: true } as const;
  return [
    { kind: "credit", connection, received: 0, limit: 1_000 },
    { ...data, offset: 0, payload },
    { ...data, offset: undefined, payload },
    { ...data, offset: 44, last: false, text: false, payload: new Uint8Array(300) },
    { kind: "credit", connection, received: 22, limit: 2_000 },
    { kind: "yield", connection, granted: 2_000, limit: 1_500 },
    { kind: "fin", connection, offset: 360 },
    { kind: "stop", connection },
    { kind: "done", connection },
    { kind: "reset", connection, code: 103, reason: "gone" },
    { kind: "reset", connection, code: 101, reason: "no" },
  ];
}

function talkInSegments(format: SegmentFormat): Seed[] {
  const opens = [...peers.map(({ name }) => name), ...builtInPeerNames, self].flatMap((peer) =>
    ["3x5", "101"].map((protocol): ControlFrame => {
      const to = { connection: 1, address: 0, session: anySession, peer } as const;
      const first = new Uint8Array(protocol === "101" ? 6 : 0).fill(0x61);
      return { kind: "open", ...to, protocol, limit: 100_000, metadata: { a: "b" }, flags: first.length % 4, first };
    }),
  );
  const resumes = peers.map(({ name, address }): ControlFrame => {
    return { kind: "resume", session: address.toString(16).padStart(32, "0"), peer: name };
  });
  const frames = [1, (1 | openerBit) >>> 0].map((connection) => join(...talk(connection).map(format.encode)));
  return [
    ...[...opens, ...resumes].map((frame) => ({ range: "router", bytes: format.encode(frame) }) as const),
    ...frames.map((bytes) => ({ range: "peer", bytes }) as const),
  ];
}

function namedSeeds(file: string): Seed[] {
  const { messages, invalid } = namedVectorsIn(file);
  return [...messages.filter(({ direction }) => direction === "from-client"), ...invalid].flatMap(({ message }) => {
    if (message === undefined || message === null) return [];
    const whole = messageOf(message);
    const bytes = typeof whole === "string" ? encoder.encode(whole) : whole;
    // Long ones come of the short ones: here they would only take time from the others.
    return bytes.length > 10_000 ? [] : { range: "message", bytes };
  });
}

function talkInJson(): Seed[] {
  return [...peers.map(({ name }) => name), ...builtInPeerNames, self].map((peer) => {
    const of = { peer, connection: `${self}:1` };
    const frames = [
      { type: "open", ...of, protocol: "3x5" },
      { type: "accept", ...of },
      { type: "data", ...of, text: "héllo", offset: 0 },
      { type: "data", ...of, base64: "AAEC", more: true },
      { type: "credit", ...of, limit: 5 },
      { type: "end", ...of, offset: 22 },
      { type: "close", peer, connection: `${peer}:1` },
      { type: "reset", ...of },
    ];
    return { range: "message", bytes: encoder.encode(JSON.stringify(frames)) };
  });
}

function originalTalk(): Message[] {
  return [...peers.map(({ name }) => name), ...builtInPeerNames, self].flatMap((otherClient) =>
    [5, 6, 0, 3, 7, 2, 8].map((meta) => {
      const connectionId = meta === 3 || meta === 6 ? `${otherClient}:0` : `${self}:0`;
      return { meta, otherClient, connectionId, data: encoder.encode(meta === 5 ? "3x5" : "") };
    }),
  );
}

function lineOf({ meta, otherClient, connectionId, data }: Message): Seed {
  const Data = data.length === 0 ? null : Buffer.from(data).toString("base64");
  const line = `${JSON.stringify({ Meta: meta, OtherClient: otherClient, ConnectionID: connectionId, Data })}\n`;
  return { range: "message", bytes: encoder.encode(line) };
}

function gobSeeds(): Seed[] {
  const { stream, sequences, invalid } = vectorsIn("gob.json") as {
    readonly stream: readonly { readonly definition: HexBytes; readonly hex: HexBytes }[];
    readonly sequences: readonly { readonly hex: readonly HexBytes[] }[];
    readonly invalid: readonly { readonly hex: HexBytes }[];
  };
  const vectors = [
    ...stream.map(({ definition, hex }) => join(fromHex(definition), fromHex(hex))),
    ...sequences.map(({ hex }) => join(...hex.map(fromHex))),
    ...invalid.map(({ hex }) => fromHex(hex)),
  ].filter(({ length }) => length <= 10_000);
  const said = originalTalk().map((message) => join(gobDefinition, encodeGob(message)));
  return [...vectors, ...said].map((bytes) => ({ range: "message", bytes }));
}
