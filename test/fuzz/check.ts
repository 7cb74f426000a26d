import { ProtocolError } from "@messagepasser/protocol";
import type { Format, WireMessage } from "@messagepasser/protocol/formats";
import { decode } from "./decoders.ts";
import { self } from "./names.ts";
import { route } from "./realm.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** A message as its client's WebSocket would send it: a text of JSON is never anything but Unicode. */
function messageOf(format: Format, bytes: Uint8Array): WireMessage {
  if (format.subprotocol === "mp.v1.json") return lenient.decode(bytes);
  if (format.subprotocol !== "mp.v0.json") return bytes.slice();
  try {
    return utf8.decode(bytes);
  } catch {
    // This format takes binary messages too.
    return bytes.slice();
  }
}

/**
 * Gives an input to the decoder of its format and to a router.
 *
 * @returns whether the router accepted all of it.
 * @throws Error for what must not come of any input.
 */
export function check(format: Format, input: readonly Uint8Array[]): boolean {
  for (const bytes of input) {
    try {
      decode(format, messageOf(format, bytes), self);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
  return route(
    format,
    input.map((bytes) => messageOf(format, bytes)),
  );
}

/** Why an input fails, or `undefined` for one that doesn't. */
export function failureOf(format: Format, input: readonly Uint8Array[]): Error | undefined {
  try {
    check(format, input);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The same for failures that differ in numbers only. */
export function kindOf(error: unknown): string {
  return error instanceof Error ? error.message.replaceAll(/\d+/g, "#") : String(error);
}

/** The same input with as much left out as can be while it still fails in the same way. */
export function smallest(format: Format, input: readonly Uint8Array[], deadlineMs: number): readonly Uint8Array[] {
  const kind = kindOf(failureOf(format, input));
  const fails = (other: readonly Uint8Array[]): boolean => kindOf(failureOf(format, other)) === kind;
  let best = input;
  for (let at = best.length - 1; at >= 0 && best.length > 1; at--) {
    const fewer = best.toSpliced(at, 1);
    if (fails(fewer)) best = fewer;
  }
  for (let size = 1 << 16; size >= 1; size = Math.floor(size / 2)) {
    for (let which = 0; which < best.length; which++) {
      for (let at = 0; at < (best[which]?.length ?? 0) && performance.now() < deadlineMs;) {
        const bytes = best[which] ?? new Uint8Array();
        const shorter = new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]));
        if (fails(best.with(which, shorter))) best = best.with(which, shorter);
        else at += size;
      }
    }
  }
  return best;
}
