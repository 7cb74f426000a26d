import { limits } from "./limits.ts";

/**
 * Kinds of fields, in the order in which a frame's body lists them. Numbers are big-endian.
 * - `u8` `u16` `u32`: unsigned numbers
 * - `u64`: an offset or limit, at most `limits.maxOffset`
 * - `id`: 16 bytes, here 32 hexadecimal digits
 * - `text`: a u16 count of bytes, then that much UTF-8
 * - `texts`: a u16 count, then that many `text`
 * - `map`: a u16 count, then that many pairs of `text`: key and value
 * - `rest`: all that is left of the frame
 */
export type FieldKind = "u8" | "u16" | "u32" | "u64" | "id" | "text" | "texts" | "map" | "rest";

interface FieldTypes {
  u8: number;
  u16: number;
  u32: number;
  u64: number;
  id: string;
  text: string;
  texts: readonly string[];
  map: Readonly<Record<string, string>>;
  rest: Uint8Array;
}

/** A field: its kind, and for texts the most bytes that it may have. */
type Field = FieldKind | readonly ["text" | "map" | "texts", maxBytes: number];

/** How a frame looks on the wire. */
export interface FrameShape {
  /** The number on the wire: below 0x40 between client and router, from 0x40 on between ends. */
  readonly type: number;
  readonly fields: Readonly<Record<string, Field>>;
}

const name = ["text", limits.maxNameBytes] as const;
const instance = ["text", limits.maxInstanceBytes] as const;
const label = ["text", limits.maxLabelBytes] as const;
const protocol = ["text", limits.maxProtocolBytes] as const;
const reason = ["text", limits.maxReasonBytes] as const;
const services = ["texts", limits.maxProtocolBytes] as const;
const metadata = ["map", limits.maxMetadataBytes] as const;

/** Frames between a client and the router: valid only in a segment whose address is 0. */
export const routerFrames = {
  /** Router to client, first frame of a link: this client's identity, and how much it may grant in all. */
  welcome: { type: 0x01, fields: { session: "id", name, realm: name, budget: "u32" } },
  /** Client to router: this session has ended. */
  bye: { type: 0x02, fields: {} },
  /**
   * Router to client, last frame of a link: why it ends, by a close code. The WebSocket's own close says the same, but
   * neither browsers nor Node report that before the TCP connection has ended too, which can take many seconds.
   * A client that may come back waits a random part of `delayMs` at least, so that not all come at once.
   */
  closing: { type: 0x03, fields: { code: "u16", delayMs: "u32", reason } },
  /**
   * From the opener to the acceptor, by way of the router. `peer`, `session` and `address` are those of the other client:
   * on the way to the router of the one to open to, on the way from it of the opener. To the router, `session` is
   * `anySession`, or the only one that may get the open, and `address` is 0. With any other address it is the only one
   * that must not get the open, since it got the same one before and doesn't answer.
   * `flags` and `first` are the first message, or its first piece, as in `data`; both are empty without one.
   */
  open: {
    type: 0x04,
    fields: {
      connection: "u32",
      address: "u32",
      session: "id",
      peer: label,
      protocol,
      limit: "u64",
      metadata,
      flags: "u8",
      first: "rest",
    },
  },
  /** Router to the opener: the open went to this address and session. */
  routed: { type: 0x05, fields: { connection: "u32", address: "u32", session: "id", peer: label } },
  /** Router to the opener: the open went nowhere. */
  refused: { type: 0x06, fields: { connection: "u32", code: "u16", reason } },
  /** Client to router: pair me with this peer's session again, as an open of mine or of theirs did before. */
  resume: { type: 0x07, fields: { session: "id", peer: label } },
  /** Router to both clients of a resume: you may exchange segments, at these addresses. */
  paired: { type: 0x08, fields: { address: "u32", session: "id", peer: label } },
  /** Router to client, the other answer to a resume: that session has no link now (`lost`), or is over (all other reasons). */
  absent: { type: 0x09, fields: { session: "id", reason: "u8", peer: label } },
  /** Router to client: no peer has this address any more. */
  gone: { type: 0x0a, fields: { address: "u32", reason: "u8" } },
  /** Router to client: send this token back once you have read up to it. `budget` replaces that of the welcome. */
  mark: { type: 0x0b, fields: { token: "u32", budget: "u32" } },
  /** Client to router: the token of a mark. */
  reached: { type: 0x0c, fields: { token: "u32" } },
  /** Client to router: asks for the names of connected clients. `cursor` is empty or from the page before. */
  list: { type: 0x0d, fields: { request: "u32", cursor: name } },
  /** Router to client: one page of names. An empty `cursor` says that it is the last. */
  peers: { type: 0x0e, fields: { request: "u32", cursor: name, names: ["texts", limits.maxNameBytes] } },
  /** Router to client: the rules for you and this peer have changed. Check each protocol that is open. */
  rulesChanged: { type: 0x0f, fields: { address: "u32" } },
  /** Client to router: may Connections of this protocol continue? `opener` is 1 for those that this client opened, else 0. */
  check: { type: 0x10, fields: { address: "u32", opener: "u8", protocol } },
  /** Router to client: they may not. If they may, there is no answer. */
  denied: { type: 0x11, fields: { address: "u32", opener: "u8", protocol, reason } },
  /**
   * Client to router: this session serves the protocols that fit these patterns, and no longer those. `share` is 1 where
   * opens are to be spread over all sessions that share, else 0. The first one says that nothing else is served.
   */
  serve: {
    type: 0x12,
    fields: { share: "u8", add: ["texts", limits.maxProtocolBytes], remove: ["texts", limits.maxProtocolBytes] },
  },
  /** Client to router: asks which sessions are connected whose names fit the pattern, and what changes from now on. */
  watch: { type: 0x13, fields: { request: "u32", pattern: name } },
  /** Client to router: ends this watch. */
  unwatch: { type: 0x14, fields: { request: "u32" } },
  /** Router to client: this session is connected, began at `sinceMs`, in milliseconds since 1970, and serves these patterns. */
  present: { type: 0x15, fields: { request: "u32", session: "id", name, instance, sinceMs: "u64", services } },
  /** Router to client: this session is no longer connected, or no longer seen. The client need not have been told that it was. */
  left: { type: 0x16, fields: { request: "u32", session: "id", name } },
  /** Router to client: with `complete` 0, all sessions that are connected follow; with 1, those were all. */
  snapshot: { type: 0x17, fields: { request: "u32", complete: "u8" } },
  /** Router to client: when the router sent this, in milliseconds of its own clock, modulo 2^32. */
  clock: { type: 0x18, fields: { timeMs: "u32" } },
  /** Client to router: asks when all before this arrived. At most one in a message. */
  measure: { type: 0x19, fields: {} },
  /** Router to client: when the oldest `measure` without an answer arrived, as in `clock`. */
  measured: { type: 0x1a, fields: { timeMs: "u32" } },
} as const satisfies Record<string, FrameShape>;

/**
 * Frames between the two ends of a Connection: valid only in a segment whose address is not 0.
 * Each begins with the Connection's id. `data` has a codec of its own, since it is the frame of which there are most.
 */
export const peerFrames = {
  /**
   * All below `received` arrived here, and the other end may send up to `limit`. The first one on a pair says where its
   * sender stands: nothing else is sent before it. The acceptor's first one accepts the open.
   */
  credit: { type: 0x40, fields: { connection: "u32", received: "u64", limit: "u64" } },
  /** A piece of a message; see `dataFlags`. */
  data: { type: 0x41, fields: { connection: "u32", flags: "u8", payload: "rest" } },
  /** No more data in this direction; `offset` is where the FIN stands. */
  fin: { type: 0x42, fields: { connection: "u32", offset: "u64" } },
  /** The sender of this frame reads no more: further data is of no use. */
  stop: { type: 0x43, fields: { connection: "u32" } },
  /** Ends the Connection at once, in both directions. From an acceptor that has not accepted, it refuses the open. */
  reset: { type: 0x44, fields: { connection: "u32", code: "u16", reason } },
  /** The sender has all that it will get and has sent all that it will: it knows nothing more of this Connection. */
  done: { type: 0x45, fields: { connection: "u32" } },
  /** The sender gives back what it was granted between `limit` and `granted`, the last limit that it knows. */
  yield: { type: 0x46, fields: { connection: "u32", granted: "u64", limit: "u64" } },
} as const satisfies Record<string, FrameShape>;

/** Bits of a data frame's `flags`. */
export const dataFlags = {
  /** The last piece of its message. */
  last: 1,
  /** The message is text; each piece is whole UTF-8. */
  text: 2,
  /** A u64 stands before the payload: the offset of this frame. */
  offset: 4,
} as const;

/** Set in a type: a receiver that doesn't know the frame skips it instead of closing the link. */
export const ignorableBit = 0x80;

/** In an open: any session of the peer's name. */
export const anySession = "0".repeat(32);

/** Set in a Connection id on the wire: the frame's sender opened the Connection. */
export const openerBit = 0x8000_0000;

/** A Connection's id as the other end writes it. */
export function flipOpenerBit(connection: number): number {
  return (connection ^ openerBit) >>> 0;
}

type KindOf<F extends Field> = F extends readonly [infer K extends FieldKind, number] ? K : F;
type FrameOf<Name, Shape extends FrameShape> = { readonly kind: Name } & {
  readonly [F in keyof Shape["fields"]]: FieldTypes[Extract<KindOf<Shape["fields"][F]>, FieldKind>];
};
type FramesOf<Table extends Record<string, FrameShape>> = {
  [Name in keyof Table]: FrameOf<Name, Table[Name]>;
};

/** Any frame between client and router, told apart by `kind`. */
export type RouterFrame = FramesOf<typeof routerFrames>[keyof typeof routerFrames];

/** The router frame of one kind. */
export type RouterFrameOf<Kind extends RouterFrame["kind"]> = Extract<RouterFrame, { kind: Kind }>;

/** A piece of a message. `offset` is there when the frame carried it. */
export interface DataFrame {
  readonly kind: "data";
  readonly connection: number;
  readonly last: boolean;
  readonly text: boolean;
  readonly offset: number | undefined;
  /** A view on the batch, not a copy. */
  readonly payload: Uint8Array;
}

/** Any frame between two ends, told apart by `kind`. */
export type PeerFrame = DataFrame | Exclude<FramesOf<typeof peerFrames>[keyof typeof peerFrames], { kind: "data" }>;

/** The frames other than data: all that is encoded from its table of fields. */
export type ControlFrame = RouterFrame | Exclude<PeerFrame, DataFrame>;
