// The original's one message, and what of its wire the protocol package knows. FORMATS.md has it.
import type { OriginalMessage } from "@messagepasser/protocol/original";

export { encodeGob, gobDefinition, GobReader } from "@messagepasser/protocol/original";
export { metas, type OriginalMessage } from "@messagepasser/protocol/original";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const noBytes = new Uint8Array();

/** A message; a text as `data` goes as UTF-8. */
export function originalOf(
  meta: number,
  otherClient: string,
  connectionId = "",
  data: Uint8Array | string = noBytes,
): OriginalMessage {
  return { meta, otherClient, connectionId, data: typeof data === "string" ? encoder.encode(data) : data };
}

/** The text that the data of a message is; `undefined` if it is none. */
export function textOf({ data }: OriginalMessage): string | undefined {
  try {
    return decoder.decode(data);
  } catch {
    return undefined;
  }
}
