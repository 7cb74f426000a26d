import { fromBase64, toBase64 } from "../base64.ts";
import { routerAddress } from "../batch.ts";
import { closeCodes, errorCodes, goneReasons, kebab, nameOfCode } from "../codes.ts";
import { anySession, type DataFrame, type PeerFrame, type RouterFrame } from "../frames.ts";
import { subprotocols } from "../handshake.ts";
import { limits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import { type Fields, readFields } from "./json-fields.ts";
import { pieces } from "./pieces.ts";
import {
  accepts,
  connectionName,
  connectionNamed,
  type IdStyle,
  inBatches,
  type NamedFormat,
  type Said,
  tokenSaid,
  uncountedOffset,
} from "./named.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const noBytes = new Uint8Array();

const decimal: IdStyle = {
  write: String,
  read: (digits) => (/^[1-9]\d{0,9}$/.test(digits) ? Number(digits) : NaN),
};

/** `mp.v1.json`: frames as JSON objects, which a person can type. A message is one frame or an array of frames. */
export const json: NamedFormat = {
  subprotocol: subprotocols.json,
  addressing: "name",
  maxMessageBytes: limits.maxBatchBytes,
  hasHeartbeat: true,
  preamble: [],
  *decode(message, { name }) {
    if (typeof message !== "string") throw new ProtocolError("Binary message on a text format");
    for (const frame of framesIn(message)) yield* frameSaid(readFields(frame), name);
  },
  encodeRouter(frames, self) {
    return written(frames.map((frame) => routerFields(frame, self)).filter((fields) => fields !== undefined));
  },
  encodePeer(frames, peer, self) {
    const fields = pieces(frames).map((frame) =>
      peerFields(frame, { peer, connection: connectionName(frame.connection, peer, self, decimal) }),
    );
    return written(fields.filter((frame) => frame !== undefined));
  },
  encodeGone(peer, reason) {
    return written([{ type: "gone", peer, reason: nameOfCode(goneReasons, reason) ?? reason }]);
  },
  encodeMark: (token) => JSON.stringify({ type: "mark", token }),
};

function framesIn(message: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    throw new ProtocolError("Message that is not JSON");
  }
  if (!Array.isArray(value)) return [value];
  if (value.length > limits.maxSegments)
    throw new ProtocolError(`More than ${limits.maxSegments} frames in one message`);
  return value as unknown[];
}

/** Encodes frames in as few messages as the limit allows. */
function written(frames: readonly object[]): string[] {
  return inBatches(frames.map((frame) => JSON.stringify(frame))).map((texts) =>
    texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(",")}]`,
  );
}

function* frameSaid(fields: Fields, self: string): Iterable<Said> {
  switch (fields.type) {
    case "open": {
      const { peer, protocol, metadata, limit } = fields;
      const connection = connectionNamed(fields.connection, self, self, decimal) & limits.maxConnectionId;
      const open = { connection, address: routerAddress, session: anySession, peer, protocol, limit, metadata };
      yield { to: "router", frame: { kind: "open", ...open, flags: 0, first: noBytes } };
      return;
    }
    case "list":
      yield { to: "router", frame: { kind: "list", request: fields.request, cursor: fields.cursor } };
      return;
    case "watch":
      yield { to: "router", frame: { kind: "watch", request: fields.request, pattern: fields.pattern } };
      return;
    case "unwatch":
      yield { to: "router", frame: { kind: "unwatch", request: fields.request } };
      return;
    case "bye":
      yield { to: "router", frame: { kind: "bye" } };
      return;
    case "reached":
      yield tokenSaid(fields.token);
      return;
    case "serve": {
      const { share, add, remove } = fields;
      yield { to: "router", frame: { kind: "serve", share: share ? 1 : 0, add, remove } };
      return;
    }
    default: {
      const { peer } = fields;
      const connection = connectionNamed(fields.connection, self, peer, decimal);
      for (const frame of framesOf(fields, connection)) yield { to: "peer", peer, frame };
    }
  }
}

type PeerFields = Exclude<Fields, { type: "open" | "list" | "serve" | "watch" | "unwatch" | "bye" | "reached" }>;

function framesOf(fields: PeerFields, connection: number): PeerFrame[] {
  switch (fields.type) {
    case "accept":
    case "credit":
      return [{ kind: "credit", connection, received: 0, limit: fields.limit }];
    case "reset":
      return [{ kind: "reset", connection, code: fields.code, reason: fields.reason }];
    case "data":
      return [dataOf(fields, connection)];
    case "end":
      return [{ kind: "fin", connection, offset: fields.offset ?? uncountedOffset }];
    case "stop":
    case "done":
      return [{ kind: fields.type, connection }];
    case "close":
      return [
        { kind: "stop", connection },
        { kind: "fin", connection, offset: fields.offset ?? uncountedOffset },
        { kind: "done", connection },
      ];
  }
}

function dataOf(fields: Extract<Fields, { type: "data" }>, connection: number): DataFrame {
  const { text, base64, more, offset } = fields;
  if ((text === undefined) === (base64 === undefined))
    throw new ProtocolError('Frame "data" without one of "text" and "base64", or with both');
  const payload = base64 === undefined ? encoder.encode(text ?? "") : fromBase64(base64);
  if (payload === undefined) throw new ProtocolError('"base64" that is not base64');
  // The router would split a larger payload, and each piece counts.
  if (offset !== undefined && payload.length > limits.maxPayloadBytes)
    throw new ProtocolError(`Payload of ${payload.length} bytes, where at most ${limits.maxPayloadBytes} are allowed`);
  return { kind: "data", connection, last: !more, text: text !== undefined, offset, payload };
}

function routerFields(frame: RouterFrame, self: string): object | undefined {
  switch (frame.kind) {
    case "welcome":
      return { type: "welcome", name: frame.name, realm: frame.realm };
    case "open": {
      const { peer, protocol, metadata, limit } = frame;
      const connection = connectionName(frame.connection, self, peer, decimal);
      return { type: "open", peer, connection, protocol, metadata, limit };
    }
    case "refused": {
      const connection = `${self}:${decimal.write(frame.connection)}`;
      return { type: "refused", connection, code: codeName(frame.code), reason: frame.reason };
    }
    case "peers": {
      const { request, cursor, names } = frame;
      return { type: "peers", request, cursor, names };
    }
    case "present":
    case "left": {
      const { kind, ...fields } = frame;
      return { type: kind, ...fields };
    }
    case "snapshot":
      return { type: "snapshot", request: frame.request, complete: frame.complete === 1 };
    case "closing": {
      const { code, delayMs, reason } = frame;
      return { type: "closing", code, name: nameOfCode(closeCodes, code), delayMs, reason };
    }
    // Clients of this format have no addresses, and can't resume.
    default:
      return undefined;
  }
}

function peerFields(frame: PeerFrame, head: { peer: string; connection: string }): object | undefined {
  switch (frame.kind) {
    case "reset":
      return { type: "reset", ...head, code: codeName(frame.code), reason: frame.reason };
    case "data":
      return { type: "data", ...head, ...dataFields(frame) };
    case "credit":
      if (accepts(frame)) return { type: "accept", ...head, limit: frame.limit };
      return { type: "credit", ...head, received: frame.received, limit: frame.limit };
    case "fin":
      return { type: "end", ...head };
    case "stop":
    case "done":
      return { type: frame.kind, ...head };
    // The router has already answered: the client has no credit to give back.
    case "yield":
      return undefined;
  }
}

function dataFields({ text, last, payload }: DataFrame): object {
  const more = last ? {} : { more: true };
  if (!text) return { base64: toBase64(payload), ...more };
  try {
    return { text: decoder.decode(payload), ...more };
  } catch {
    throw new ProtocolError("A piece of text that is not UTF-8");
  }
}

/** A code's name in kebab-case, or the number of a code without a name. */
function codeName(code: number): string | number {
  const name = nameOfCode(errorCodes, code);
  return name === undefined ? code : kebab(name);
}
