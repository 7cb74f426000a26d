import { errorCodes } from "../codes.ts";
import { anySession, type PeerFrame, type RouterFrame } from "../frames.ts";
import { limits, originalLimits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import {
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
import { metas, type OriginalMessage } from "./message.ts";

// The wire of the Go program MessagePasser of 2014, so that programs written for it run on. What it can't say:
// - half-close: a FIN alone is not passed on; the peer's end shows once both halves are over.
// - codes and reasons: of a refusal only whether the protocol was unknown, of a reset only that it is the end.
// - credit: what its client reads is paced by marks, what it sends by nothing (see `uncountedOffset`).
// - text: all messages arrive as bytes.
// - metadata of an open, the list of peers, resume.
// - pieces: what a peer sends as a message of several frames arrives as several messages.

/** How the original's messages are written. */
export interface OriginalWriting<Part extends WireMessage> {
  readonly subprotocol: string;
  readonly preamble: readonly WireMessage[];
  /** The messages in one WebSocket message, which holds whole ones; what stands before a fault is given. @throws ProtocolError */
  read(message: WireMessage, speaker: Speaker): Iterable<OriginalMessage>;
  write(message: OriginalMessage): Part;
  /** Several messages as one WebSocket message. */
  join(parts: readonly Part[]): Part;
}

/** Begins the id of a Connection that no client has: its client sends data for such a one back, as a mark asks for. */
const markPrefix = "$mark:";
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const noBytes = new Uint8Array();

/** The original counts from 0, in hexadecimal. */
const hexadecimal: IdStyle = {
  write: (id) => (id - 1).toString(16),
  read: (digits) => (/^[0-9a-f]{1,8}$/.test(digits) ? Number.parseInt(digits, 16) + 1 : NaN),
};

/** A by-name format out of a way to write the original's messages. */
export function originalFormat<Part extends WireMessage>(writing: OriginalWriting<Part>): NamedFormat {
  const { subprotocol, preamble, read, write, join } = writing;
  const written = (originals: readonly OriginalMessage[]): Part[] => inBatches(originals.map(write)).map(join);
  return {
    subprotocol,
    addressing: "name",
    maxMessageBytes: originalLimits.maxMessageBytes,
    hasHeartbeat: false,
    preamble,
    *decode(message, speaker) {
      let count = 0;
      for (const original of read(message, speaker)) {
        if (++count > limits.maxSegments) throw new ProtocolError(`More than ${limits.maxSegments} messages in one`);
        yield* said(original, speaker.name, write);
      }
    },
    encodeRouter(frames, self) {
      return written(frames.flatMap((frame) => routerMessage(frame, self) ?? []));
    },
    encodePeer(frames, peer, self) {
      return written(frames.flatMap((frame) => peerMessage(frame, peer, self) ?? []));
    },
    encodeGone: (peer) => [write(originalOf(metas.clientClosed, peer))],
    encodeMark: (token) => write(originalOf(metas.data, "", markPrefix + token)),
  };
}

function originalOf(meta: number, otherClient: string, connectionId = "", data: Uint8Array = noBytes): OriginalMessage {
  return { meta, otherClient, connectionId, data };
}

function* said(
  original: OriginalMessage,
  self: string,
  write: (message: OriginalMessage) => WireMessage,
): Iterable<Said> {
  const { meta, otherClient: peer, connectionId, data } = original;
  if (meta === metas.auth) {
    // Who it is, the upgrade has shown. The secret in here is the same, or of no use.
    if (peer === self) {
      yield { to: "itself", answer: write(originalOf(metas.authOk, self)) };
      return;
    }
    const why = "The name is not the one that the WebSocket was opened with";
    yield { to: "itself", answer: write(originalOf(metas.authFailure, self, "", encoder.encode(why))) };
    throw new ProtocolError(why);
  }
  if (meta === metas.noSuchConnection && connectionId.startsWith(markPrefix)) {
    yield tokenSaid(connectionId.slice(markPrefix.length));
    return;
  }
  if (meta === metas.open) {
    yield { to: "router", frame: openOf(original, self) };
    return;
  }
  const connection = connectionNamed(connectionId, self, peer, hexadecimal);
  for (const frame of framesOf(meta, connection, data)) yield { to: "peer", peer, frame };
}

function openOf({ otherClient: peer, connectionId, data }: OriginalMessage, self: string): RouterFrame {
  let protocol: string;
  try {
    protocol = decoder.decode(data);
  } catch {
    throw new ProtocolError("A protocol's name that is not UTF-8");
  }
  const connection = connectionNamed(connectionId, self, self, hexadecimal) & limits.maxConnectionId;
  const rest = { session: anySession, limit: limits.firstWindowBytes, metadata: {}, early: noBytes };
  return { kind: "open", connection, peer, protocol, ...rest };
}

function framesOf(meta: number, connection: number, payload: Uint8Array): PeerFrame[] {
  switch (meta) {
    case metas.data:
      return [{ kind: "data", connection, last: true, text: false, offset: undefined, payload }];
    case metas.accept:
      return [{ kind: "position", connection, received: 0, limit: limits.firstWindowBytes }];
    case metas.unknownProtocol:
      return [{ kind: "reject", connection, code: errorCodes.unknownProtocol, reason: "" }];
    case metas.closed:
      return [
        { kind: "stop", connection },
        { kind: "fin", connection, offset: uncountedOffset },
        { kind: "over", connection },
      ];
    case metas.noSuchConnection:
      return [{ kind: "over", connection }];
    default:
      throw new ProtocolError(`A message of meta ${meta}, which no client sends`);
  }
}

function routerMessage(frame: RouterFrame, self: string): OriginalMessage | undefined {
  if (frame.kind === "incoming") {
    const { peer, protocol } = frame;
    const id = connectionName(frame.connection, self, peer, hexadecimal);
    return originalOf(metas.open, peer, id, encoder.encode(protocol));
  }
  // Whom it was for is no longer known here, nor looked at there.
  if (frame.kind === "refused")
    return originalOf(metas.noSuchConnection, "", `${self}:${hexadecimal.write(frame.connection)}`);
  return undefined;
}

function peerMessage(frame: PeerFrame, peer: string, self: string): OriginalMessage | undefined {
  const id = connectionName(frame.connection, peer, self, hexadecimal);
  switch (frame.kind) {
    case "data":
      return originalOf(metas.data, peer, id, frame.payload);
    case "position":
      return originalOf(metas.accept, peer, id);
    case "reject":
      return originalOf(
        frame.code === errorCodes.unknownProtocol ? metas.unknownProtocol : metas.noSuchConnection,
        peer,
        id,
      );
    case "reset":
    case "over":
      return originalOf(metas.closed, peer, id);
    default:
      return undefined;
  }
}
