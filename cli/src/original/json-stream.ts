import { Buffer } from "node:buffer";
import { ByteBuffer, ProtocolError } from "@messagepasser/protocol";
import type { OriginalMessage } from "./original.ts";
import { type MessageStream, tooLong } from "./stream.ts";

const [quote, backslash, comma, open, close, openList] = Array.from('"\\,{}[', (character) => character.charCodeAt(0));
/** More than the original has, which ignores what it doesn't know. */
const maxFields = 16;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether a byte may stand between two values, which Go ends by a line feed each. */
export function isWhiteSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Where a stream of JSON begins: with an object, or with space before one. */
export function beginsJson(byte: number | undefined): boolean {
  return byte === open || isWhiteSpace(byte);
}

/**
 * A stream of JSON objects, as Go's encoding/json writes them. One ends where its brace says, at the end of a line or not.
 * Nothing is nested in it: a few million brackets would cost a hundred times their memory once parsed.
 */
export class JsonStream implements MessageStream {
  maxBytes: number;
  readonly #held = new ByteBuffer();
  // Where in an object the last byte left off.
  #isInside = false;
  #isInText = false;
  #isEscaped = false;
  #commas = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  *read(chunk: Uint8Array): Iterable<OriginalMessage> {
    for (let at = 0; at < chunk.length;) {
      if (!this.#isInside) {
        while (isWhiteSpace(chunk[at])) at++;
        if (at === chunk.length) return;
        if (chunk[at] !== open) throw new ProtocolError("What came is no JSON object");
      }
      const end = this.#endOf(chunk, at);
      const part = chunk.subarray(at, end);
      const size = this.#held.length + part.length;
      if (size > this.maxBytes) throw tooLong(size, this.maxBytes);
      at = end;
      if (this.#isInside) this.#held.append(part);
      else if (this.#held.length === 0) yield messageIn(part);
      else {
        this.#held.append(part);
        yield messageIn(this.#held.take());
      }
    }
  }

  write({ meta, otherClient, connectionId, data }: OriginalMessage): string {
    // Where there are no bytes Go writes null, and its client takes an accept with anything else for a refusal.
    const Data = data.length === 0 ? null : bufferOf(data).toString("base64");
    return `${JSON.stringify({ Meta: meta, OtherClient: otherClient, ConnectionID: connectionId, Data })}\n`;
  }

  /** The end of the object that begins or goes on at `start`, or that of the chunk. */
  #endOf(chunk: Uint8Array, start: number): number {
    let at = start;
    if (!this.#isInside) {
      at++;
      this.#commas = 0;
    }
    // Asked for each byte of all that comes, so they are variables here.
    let isInside = true;
    let isInText = this.#isInText;
    let isEscaped = this.#isEscaped;
    while (isInside && at < chunk.length) {
      const byte = chunk[at++];
      if (isEscaped) isEscaped = false;
      else if (byte === quote) isInText = !isInText;
      else if (isInText) isEscaped = byte === backslash;
      else if (byte === open || byte === openList) throw new ProtocolError("What came is no flat JSON object");
      else if (byte === close) isInside = false;
      else if (byte === comma && ++this.#commas >= maxFields) throw new ProtocolError(`More than ${maxFields} fields`);
    }
    this.#isInside = isInside;
    this.#isInText = isInText;
    this.#isEscaped = isEscaped;
    return at;
  }
}

function messageIn(bytes: Uint8Array): OriginalMessage {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    throw new ProtocolError("What came is no JSON in UTF-8");
  }
  const fields = new Map<string, unknown>(Object.entries(value as object));
  const [meta = 0, otherClient = "", connectionId = ""] = ["Meta", "OtherClient", "ConnectionID"].map((name) =>
    fields.get(name),
  );
  if (!isByte(meta)) throw new ProtocolError('"Meta" is not a number from 0 to 255');
  if (!isText(otherClient)) throw new ProtocolError('"OtherClient" is not a well-formed text');
  if (!isText(connectionId)) throw new ProtocolError('"ConnectionID" is not a well-formed text');
  return { meta, otherClient, connectionId, data: dataIn(fields.get("Data") ?? "") };
}

function dataIn(text: unknown): Uint8Array {
  // Node forgives what is no base64.
  if (typeof text !== "string" || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
    throw new ProtocolError('"Data" is neither base64 nor null');
  return Buffer.from(text, "base64");
}

function isByte(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed();
}

/** The same bytes as a Buffer, which knows base64. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
