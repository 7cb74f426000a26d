import { type PeerFrame, openerBit, type RouterFrame } from "../frames.ts";
import { limits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import { utf8Length } from "../utf8.ts";

/** One WebSocket message, of the kind that it is sent as. */
export type WireMessage = string | Uint8Array;

/** Whose messages a by-name format reads. */
export interface Speaker {
  readonly name: string;
  /** What the format has to remember of the link from one message to the next: at most 2,048 bytes. */
  formatMemory: Uint8Array;
}

/** One thing that a client says in a by-name format. */
export type Said =
  | { readonly to: "router"; readonly frame: RouterFrame }
  | { readonly to: "peer"; readonly peer: string; readonly frame: PeerFrame }
  /** By the address that the router had put into a mark. */
  | { readonly to: "address"; readonly address: number; readonly frame: PeerFrame }
  /** Something that needs no more than this answer. */
  | { readonly to: "itself"; readonly answer: WireMessage };

/**
 * A format whose messages name their peers instead of addressing them. Its clients keep little: they can't come back
 * after the loss of a link, and need not count credit. What the ends of a Connection owe each other beyond that, the
 * router says for them.
 */
export interface NamedFormat {
  /** The WebSocket subprotocol by which a client asks for it. */
  readonly subprotocol: string;
  readonly addressing: "name";
  readonly maxMessageBytes: number;
  /** Whether its clients can send the heartbeat. Of one that can't, silence means nothing. */
  readonly hasHeartbeat: boolean;
  /** What goes before all else on a link. */
  readonly preamble: readonly WireMessage[];
  /** Reads one WebSocket message; what stands before a fault counts. @throws ProtocolError */
  decode(message: WireMessage, speaker: Speaker): Iterable<Said>;
  /** What a client hears of the router. */
  encodeRouter(frames: readonly RouterFrame[], self: string): WireMessage[];
  /** What a client hears of a peer. @throws ProtocolError for what the peer can't have meant */
  encodePeer(frames: readonly PeerFrame[], peer: string, self: string): WireMessage[];
  /** A peer has gone, for one of `goneReasons`. */
  encodeGone(peer: string, reason: number): WireMessage[];
  /** Asks for the token to be sent back once all before it is read. */
  encodeMark(token: string): WireMessage;
}

/** The offset of a FIN whose sender doesn't count: no half gets that far. */
export const uncountedOffset = limits.maxOffset;

/** How a by-name format writes the id of a Connection: after the opener's name and a colon. */
export interface IdStyle {
  write(id: number): string;
  /** NaN for what is no number. */
  read(digits: string): number;
}

/** The name of a Connection that `from` calls by this id. @throws ProtocolError for an id that none can have */
export function connectionName(connection: number, from: string, to: string, style: IdStyle): string {
  const opener = (connection & openerBit) === 0 ? to : from;
  const id = (connection & ~openerBit) >>> 0;
  // Who hears such a name could not even answer by it.
  if (id === 0) throw new ProtocolError("A frame of Connection 0, which there can't be");
  return `${opener}:${style.write(id)}`;
}

/** The id by which `from` calls a Connection of that name with `to`. @throws ProtocolError */
export function connectionNamed(name: string, from: string, to: string, style: IdStyle): number {
  const colon = name.lastIndexOf(":");
  const id = style.read(name.slice(colon + 1));
  // What the name is of no Connection of the two is a slip of the client's, and best said at once.
  if (!Number.isInteger(id) || id < 1 || id > limits.maxConnectionId)
    throw new ProtocolError("A Connection's name that is not its opener's name, a colon and a number");
  const opener = name.slice(0, colon);
  if (opener === from) return (id | openerBit) >>> 0;
  if (opener === to) return id;
  throw new ProtocolError("A Connection that neither of the two clients can have opened");
}

/**
 * The token of a mark that stands for credit: the client has read its peer's data up to an offset. Nothing in it is
 * secret or has to be proved, since a client may grant its peers what it likes.
 */
export function creditToken(address: number, connection: number, offset: number): string {
  return `${address}.${connection}.${offset}`;
}

/** What the token of a mark says, when it comes back. @throws ProtocolError */
export function tokenSaid(token: string): Said {
  const [first = NaN, connection, offset, ...rest] = token.split(".", 4).map(wholeNumber);
  const isToken = rest.length === 0 && (connection === undefined) === (offset === undefined);
  if (!isToken || !(first <= 0xffff_ffff)) throw new ProtocolError("A token that no mark had");
  if (connection === undefined || offset === undefined)
    return { to: "router", frame: { kind: "reached", token: first } };
  if (!(connection <= 0xffff_ffff && offset <= limits.maxOffset - limits.firstWindowBytes))
    throw new ProtocolError("A token that no mark had");
  // Nothing is said of what arrived: the router has acknowledged it already.
  const frame = { kind: "credit", connection, received: 0, limit: offset + limits.firstWindowBytes } as const;
  return { to: "address", address: first, frame };
}

/**
 * Parts one after the other, in groups of at most `maxBatchBytes` as far as a part alone is not longer: so that many small
 * frames cost few WebSocket messages, and none is more than a client's library takes.
 */
export function inBatches<Part extends WireMessage>(parts: readonly Part[]): Part[][] {
  const batches: Part[][] = [];
  let length = Infinity;
  for (const part of parts) {
    // And a comma between two, or a bracket.
    const partBytes = byteLength(part) + 1;
    if (length + partBytes >= limits.maxBatchBytes) {
      batches.push([]);
      length = 0;
    }
    batches.at(-1)?.push(part);
    length += partBytes;
  }
  return batches;
}

/** Bytes of a message on the wire. */
export function byteLength(message: WireMessage): number {
  return typeof message === "string" ? utf8Length(message) : message.length;
}

function wholeNumber(digits: string): number {
  return /^\d{1,16}$/.test(digits) ? Number(digits) : NaN;
}
