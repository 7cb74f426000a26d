import { type PeerFrame, openerBit, type RouterFrame } from "../frames.ts";
import { limits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import { utf8Length } from "../utf8.ts";

/** One WebSocket message: text or binary. */
export type WireMessage = string | Uint8Array;

/** The client whose messages a by-name format reads. */
export interface Speaker {
  readonly name: string;
  /** What the format remembers from one message of the link to the next: at most 2,048 bytes. */
  formatMemory: Uint8Array;
}

/** What a client says in a by-name format. */
export type Said =
  | { readonly to: "router"; readonly frame: RouterFrame }
  | { readonly to: "peer"; readonly peer: string; readonly frame: PeerFrame }
  /** To the peer at the address that the router had put into a mark. */
  | { readonly to: "address"; readonly address: number; readonly frame: PeerFrame }
  /** Only the client gets this answer. */
  | { readonly to: "itself"; readonly answer: WireMessage };

/**
 * A format whose messages name their peers instead of addressing them. Its clients keep little state: they can't resume
 * after a lost link, and need not count credit. The router does the rest of the protocol for them.
 */
export interface NamedFormat {
  /** The WebSocket subprotocol by which a client asks for it. */
  readonly subprotocol: string;
  readonly addressing: "name";
  readonly maxMessageBytes: number;
  /** Whether its clients can send the heartbeat. If they can't, silence means nothing. */
  readonly hasHeartbeat: boolean;
  /** What the router sends first on a link. */
  readonly preamble: readonly WireMessage[];
  /** Reads one WebSocket message. What precedes a fault is valid. @throws ProtocolError */
  decode(message: WireMessage, speaker: Speaker): Iterable<Said>;
  /** Encodes frames from the router. */
  encodeRouter(frames: readonly RouterFrame[], self: string): WireMessage[];
  /** Encodes frames from a peer. @throws ProtocolError for frames that no valid peer sends */
  encodePeer(frames: readonly PeerFrame[], peer: string, self: string): WireMessage[];
  /** Encodes that a peer has gone, for one of `goneReasons`. */
  encodeGone(peer: string, reason: number): WireMessage[];
  /** Encodes a mark, which the client sends back once it has read everything before it. */
  encodeMark(token: string): WireMessage;
}

/**
 * Whether an opener hears this as the accept of its open. By-name openers send nothing before they are accepted, so the
 * acceptor's first credit is for nothing received, and hardly any other is.
 */
export function accepts({ connection, received }: { readonly connection: number; readonly received: number }): boolean {
  return (connection & openerBit) === 0 && received === 0;
}

/** The offset of the FIN of a sender that doesn't count. No half reaches it. */
export const uncountedOffset = limits.maxOffset;

/** How a by-name format writes the number of a Connection, which follows the opener's name and a colon. */
export interface IdStyle {
  write(id: number): string;
  /** Returns NaN for anything but a number. */
  read(digits: string): number;
}

/** The name of a Connection that `from` calls by this id. @throws ProtocolError for an id that none can have */
export function connectionName(connection: number, from: string, to: string, style: IdStyle): string {
  const opener = (connection & openerBit) === 0 ? to : from;
  const id = (connection & ~openerBit) >>> 0;
  // The client could not answer by such a name.
  if (id === 0) throw new ProtocolError("A frame of Connection 0, which there can't be");
  return `${opener}:${style.write(id)}`;
}

/** The id by which `from` calls a Connection of that name with `to`. @throws ProtocolError */
export function connectionNamed(name: string, from: string, to: string, style: IdStyle): number {
  const colon = name.lastIndexOf(":");
  const id = style.read(name.slice(colon + 1));
  // A wrong name is a mistake of the client, which is best told at once.
  if (!Number.isInteger(id) || id < 1 || id > limits.maxConnectionId)
    throw new ProtocolError("A Connection's name that is not its opener's name, a colon and a number");
  const opener = name.slice(0, colon);
  if (opener === from) return (id | openerBit) >>> 0;
  if (opener === to) return id;
  throw new ProtocolError("A Connection that neither of the two clients can have opened");
}

/**
 * The token of a mark that means credit: the client has read its peer's data up to an offset. Nothing in it is secret or
 * needs a proof, since a client may grant its peers any credit.
 */
export function creditToken(address: number, connection: number, offset: number): string {
  return `${address}.${connection}.${offset}`;
}

/** What the token of a mark means when it comes back. @throws ProtocolError */
export function tokenSaid(token: string): Said {
  const [first = NaN, connection, offset, ...rest] = token.split(".", 4).map(wholeNumber);
  const isToken = rest.length === 0 && (connection === undefined) === (offset === undefined);
  if (!isToken || !(first <= 0xffff_ffff)) throw new ProtocolError("A token that no mark had");
  if (connection === undefined || offset === undefined)
    return { to: "router", frame: { kind: "reached", token: first } };
  if (!(connection <= 0xffff_ffff && offset <= limits.maxOffset - limits.firstWindowBytes))
    throw new ProtocolError("A token that no mark had");
  const frame = { kind: "credit", connection, received: offset, limit: offset + limits.firstWindowBytes } as const;
  return { to: "address", address: first, frame };
}

/**
 * Groups parts, in their order, into messages of at most `maxBatchBytes`, unless one part alone is longer. So many small
 * frames cost few WebSocket messages, and no message is too large for a client's library.
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

/** The length of a message on the wire, in bytes. */
export function byteLength(message: WireMessage): number {
  return typeof message === "string" ? utf8Length(message) : message.length;
}

function wholeNumber(digits: string): number {
  return /^\d{1,16}$/.test(digits) ? Number(digits) : NaN;
}
