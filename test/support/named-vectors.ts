// How protocol/vectors/json.json and original.json are written: messages that name their peers, and what they say.
import type { NamedFormat, Said, WireMessage } from "../../protocol/src/formats/named.ts";
import type { PeerFrame, RouterFrame } from "../../protocol/src/frames.ts";
import { frameOf, fromHex, type HexBytes } from "./frame-vectors.ts";

interface Repeat {
  readonly repeat: readonly (string | number)[];
}

/** A message: text, pieces of text to join, or bytes. */
export type VectorMessage = string | readonly (string | Repeat)[] | { readonly hex: HexBytes };

/** The content of a message; the fields are those of `Said`, or of one of a format's functions that write for a client. */
export interface VectorSaid {
  readonly to?: string;
  readonly from?: string;
  readonly peer?: string;
  readonly address?: number;
  readonly answer?: string;
  readonly frame?: object;
  readonly gone?: number;
  readonly mark?: string;
}

type Says = readonly (VectorSaid | { readonly repeat: readonly (VectorSaid | number)[] })[];

export interface NamedVectors {
  readonly messages: readonly {
    readonly comment: string;
    readonly direction: string;
    readonly self: string;
    readonly peer?: string;
    /** `null` where nothing is said. */
    readonly message: VectorMessage | null;
    readonly says: Says;
  }[];
  readonly invalid: readonly {
    readonly comment: string;
    readonly direction?: string;
    readonly message?: VectorMessage;
    /** The content before the fault, or the content that can't be written. */
    readonly says?: Says;
    readonly error: string;
  }[];
}

export function messageOf(message: VectorMessage): WireMessage {
  if (typeof message === "string") return message;
  if ("hex" in message) return fromHex(message.hex);
  return message.map((piece) => (typeof piece === "string" ? piece : repeated(piece))).join("");
}

function repeated({ repeat: [text, count] }: Repeat): string {
  return String(text).repeat(Number(count));
}

export function saysOf(says: Says): VectorSaid[] {
  return says.flatMap((said) => {
    if (!("repeat" in said)) return said;
    const [one, count] = said.repeat;
    return Array.from({ length: Number(count) }, () => one as VectorSaid);
  });
}

/** The same as a decoder has to give it. */
export function expectedOf(says: Says): Said[] {
  // The fields are the same but for how bytes are written.
  return saysOf(says).map(
    (said) => (said.frame === undefined ? said : { ...said, frame: frameOf(said.frame) }) as Said,
  );
}

/** Everything that a client says with a message, and the error that ends it, if any. */
export function decodeAll(
  format: NamedFormat,
  message: WireMessage,
  name: string,
  formatMemory: Uint8Array = new Uint8Array(),
): { says: Said[]; problem: unknown; formatMemory: Uint8Array } {
  const speaker = { name, formatMemory };
  const says: Said[] = [];
  let problem: unknown;
  try {
    for (const said of format.decode(message, speaker)) says.push(said);
  } catch (error) {
    problem = error;
  }
  return { says, problem, formatMemory: speaker.formatMemory };
}

/** The message that a client gets for all this, joined where it is text; `null` for none. */
export function encodeAll(format: NamedFormat, says: Says, self: string, peer: string): WireMessage | null {
  const all = saysOf(says);
  const frames = all.flatMap(({ frame }) => (frame === undefined ? [] : [frameOf(frame)]));
  const messages = all.flatMap(({ gone, mark }) => {
    if (gone !== undefined) return format.encodeGone(peer, gone);
    return mark === undefined ? [] : [format.encodeMark(mark)];
  });
  // A vector's frames are all of one range.
  if (all[0]?.from === "router") messages.push(...format.encodeRouter(frames as RouterFrame[], self));
  else messages.push(...format.encodePeer(frames as PeerFrame[], peer, self));
  if (messages.length === 0) return null;
  return messages.length === 1 ? (messages[0] ?? null) : messages.join("");
}
