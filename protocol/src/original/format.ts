import { routerAddress } from "../batch.ts";
import { errorCodes } from "../codes.ts";
import { anySession, type PeerFrame, type RouterFrame } from "../frames.ts";
import { limits, originalLimits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import {
  accepts,
  connectionName,
  connectionNamed,
  type IdStyle,
  inBatches,
  type NamedFormat,
  type Said,
  type Speaker,
  tokenSaid,
  uncountedOffset,
  type WireMessage,
} from "../formats/named.ts";
import { metas, type Message } from "./message.ts";

// The wire of the Go program MessagePasser of 2015, so that programs written for it keep working. It has no
// - half-close: a FIN alone isn't passed on. The client sees an end once both halves have ended.
// - codes and reasons: a refusal says only whether the protocol was unknown, a reset only that the Connection has ended.
// - credit: marks pace what the client reads. Nothing paces what it sends (see `uncountedOffset`).
// - text: every message arrives as bytes.
// - metadata of an open, list of peers, resume.
// - pieces: a peer's message of several frames arrives as several messages.

/** An encoding of the original's messages. */
export interface Writing<Part extends WireMessage> {
  readonly subprotocol: string;
  readonly preamble: readonly WireMessage[];
  /** Reads the messages in one WebSocket message, and yields those before a fault. @throws ProtocolError */
  read(message: WireMessage, speaker: Speaker): Iterable<Message>;
  write(message: Message): Part;
  /** Joins several messages into one WebSocket message. */
  join(parts: readonly Part[]): Part;
}

/** Begins the id of a Connection that no client has. A client answers data for it, which serves as the answer to a mark. */
const markPrefix = "$mark:";
/** The codes of a reset that refuses an open, rather than to end a Connection, and how the original says that. */
const refusals: ReadonlyMap<number, number> = new Map([
  [errorCodes.unknownProtocol, metas.unknownProtocol],
  [errorCodes.rejected, metas.noSuchConnection],
  [errorCodes.busy, metas.noSuchConnection],
  [errorCodes.tooManyConnections, metas.noSuchConnection],
]);
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const noBytes = new Uint8Array();

/** The original counts from 0, in hexadecimal. */
const hexadecimal: IdStyle = {
  write: (id) => (id - 1).toString(16),
  read: (digits) => (/^[0-9a-f]{1,8}$/.test(digits) ? Number.parseInt(digits, 16) + 1 : NaN),
};

/** Makes a by-name format of an encoding. */
export function formatFor<Part extends WireMessage>(writing: Writing<Part>): NamedFormat {
  const { subprotocol, preamble, read, write, join } = writing;
  const written = (messages: readonly Message[]): Part[] => inBatches(messages.map(write)).map(join);
  return {
    subprotocol,
    addressing: "name",
    maxMessageBytes: originalLimits.maxMessageBytes,
    hasHeartbeat: false,
    preamble,
    *decode(message, speaker) {
      let count = 0;
      for (const heard of read(message, speaker)) {
        if (++count > limits.maxSegments) throw new ProtocolError(`More than ${limits.maxSegments} messages in one`);
        yield* said(heard, speaker.name, write);
      }
    },
    encodeRouter(frames, self) {
      return written(frames.flatMap((frame) => routerMessage(frame, self) ?? []));
    },
    encodePeer(frames, peer, self) {
      return written(frames.flatMap((frame) => peerMessage(frame, peer, self) ?? []));
    },
    encodeGone: (peer) => [write(messageOf(metas.clientClosed, peer))],
    encodeMark: (token) => write(messageOf(metas.data, "", markPrefix + token)),
  };
}

function messageOf(meta: number, otherClient: string, connectionId = "", data: Uint8Array = noBytes): Message {
  return { meta, otherClient, connectionId, data };
}

function* said(message: Message, self: string, write: (message: Message) => WireMessage): Iterable<Said> {
  const { meta, otherClient: peer, connectionId, data } = message;
  if (meta === metas.auth) {
    // The upgrade has already authenticated the client. The secret in here is the same, or of no use.
    if (peer === self) {
      yield { to: "itself", answer: write(messageOf(metas.authOk, self)) };
      return;
    }
    const why = "The name is not the one that the WebSocket was opened with";
    yield { to: "itself", answer: write(messageOf(metas.authFailure, self, "", encoder.encode(why))) };
    throw new ProtocolError(why);
  }
  if (meta === metas.noSuchConnection && connectionId.startsWith(markPrefix)) {
    yield tokenSaid(connectionId.slice(markPrefix.length));
    return;
  }
  if (meta === metas.open) {
    yield { to: "router", frame: openOf(message, self) };
    return;
  }
  const connection = connectionNamed(connectionId, self, peer, hexadecimal);
  for (const frame of framesOf(meta, connection, data)) yield { to: "peer", peer, frame };
}

function openOf({ otherClient: peer, connectionId, data }: Message, self: string): RouterFrame {
  let protocol: string;
  try {
    protocol = decoder.decode(data);
  } catch {
    throw new ProtocolError("A protocol's name that is not UTF-8");
  }
  const connection = connectionNamed(connectionId, self, self, hexadecimal) & limits.maxConnectionId;
  const to = { address: routerAddress, session: anySession, peer };
  const rest = { limit: limits.firstWindowBytes, metadata: {}, flags: 0, first: noBytes };
  return { kind: "open", connection, ...to, protocol, ...rest };
}

function framesOf(meta: number, connection: number, payload: Uint8Array): PeerFrame[] {
  switch (meta) {
    case metas.data:
      return [{ kind: "data", connection, last: true, text: false, offset: undefined, payload }];
    case metas.accept:
      return [{ kind: "credit", connection, received: 0, limit: limits.firstWindowBytes }];
    case metas.unknownProtocol:
      return [{ kind: "reset", connection, code: errorCodes.unknownProtocol, reason: "" }];
    case metas.closed:
      return [
        { kind: "stop", connection },
        { kind: "fin", connection, offset: uncountedOffset },
        { kind: "done", connection },
      ];
    case metas.noSuchConnection:
      return [{ kind: "done", connection }];
    default:
      throw new ProtocolError(`A message of meta ${meta}, which no client sends`);
  }
}

function routerMessage(frame: RouterFrame, self: string): Message | undefined {
  if (frame.kind === "open") {
    const { peer, protocol } = frame;
    const id = connectionName(frame.connection, self, peer, hexadecimal);
    return messageOf(metas.open, peer, id, encoder.encode(protocol));
  }
  // The peer of the open is no longer known here, and the client doesn't look at it.
  if (frame.kind === "refused")
    return messageOf(
      frame.code === errorCodes.unknownProtocol ? metas.unknownProtocol : metas.noSuchConnection,
      "",
      `${self}:${hexadecimal.write(frame.connection)}`,
    );
  return undefined;
}

function peerMessage(frame: PeerFrame, peer: string, self: string): Message | undefined {
  const id = connectionName(frame.connection, peer, self, hexadecimal);
  switch (frame.kind) {
    case "data":
      return messageOf(metas.data, peer, id, frame.payload);
    case "credit":
      return accepts(frame) ? messageOf(metas.accept, peer, id) : undefined;
    case "reset":
      return messageOf(refusals.get(frame.code) ?? metas.closed, peer, id);
    case "done":
      return messageOf(metas.closed, peer, id);
    default:
      return undefined;
  }
}
