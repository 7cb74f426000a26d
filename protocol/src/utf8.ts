import { ProtocolError } from "./protocol-error.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes UTF-8. @throws ProtocolError if the bytes aren't UTF-8; `offset` is where they stand in their message. */
export function decodeText(bytes: Uint8Array, offset?: number): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ProtocolError("Text is not UTF-8", offset);
  }
}

/** The length of a string in UTF-8. */
export function utf8Length(text: string): number {
  // Counted where it is short, as names are: the encoder makes an array.
  if (text.length > 128) return encoder.encode(text).length;
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) bytes += unit > 0x7ff ? 2 : 1;
    // The second half of a pair: the two units have four bytes together.
    if ((unit & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800) bytes -= 2;
  }
  return bytes;
}

/** Cuts a string to at most `maxBytes` of UTF-8, between two characters. */
export function cutText(text: string, maxBytes: number): string {
  return text.slice(0, encoder.encodeInto(text, new Uint8Array(maxBytes)).read).toWellFormed();
}

/**
 * The last place between `start` and `end` where a character begins, so that text can be cut there. Bytes that continue a
 * character are 10xxxxxx, and a character has at most four bytes: where those don't hold, this is `end`.
 */
export function characterBefore(bytes: Uint8Array, start: number, end: number): number {
  for (let at = end; at >= start && at > end - 4; at--) if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return at;
  return end;
}
