// The original's one message, and what of its wire the protocol package knows. FORMATS.md has it.
export { encodeGob, gobDefinition, GobReader } from "@messagepasser/protocol/original";

/** One message of the original's wire, whatever it was written in. */
export interface OriginalMessage {
  readonly meta: number;
  readonly otherClient: string;
  readonly connectionId: string;
  /** Empty where the message has none. */
  readonly data: Uint8Array;
}

/** What a message is about: the numbers are the original's. */
export const metas = {
  data: 0,
  /** Of a type that isn't known, or of no use here. */
  invalid: 1,
  noSuchConnection: 2,
  unknownProtocol: 3,
  clientClosed: 4,
  open: 5,
  accept: 6,
  closed: 7,
  auth: 8,
  authOk: 9,
  authFailure: 10,
} as const;

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
