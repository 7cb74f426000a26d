import { ByteBuffer, decodeText, ProtocolError } from "@messagepasser/protocol";
import { type Message, readJson, writeJson } from "@messagepasser/protocol/original";
import { type MessageStream, tooLong } from "./message.ts";

const [quote, backslash, comma, open, close, openList] = Array.from('"\\,{}[', (character) => character.charCodeAt(0));
/** More fields than the original has. It ignores the fields that it doesn't know. */
const maxFields = 16;

/** Whether a byte may stand between two objects. Go ends each by a line feed. */
export function isWhiteSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Whether a stream that begins with this byte is JSON: an object, or white space before one. */
export function beginsJson(byte: number | undefined): boolean {
  return byte === open || isWhiteSpace(byte);
}

/**
 * A stream of JSON objects, as Go's encoding/json writes them. An object ends at its closing brace, whether or not the
 * line does. Nothing may be nested in it: a parser would turn a few million brackets into a hundred times their memory.
 */
export class JsonStream implements MessageStream {
  maxBytes: number;
  /** The part of an object that has arrived before the rest. */
  readonly #held = new ByteBuffer();
  // Where in an object the last byte was.
  #isInside = false;
  #isInText = false;
  #isEscaped = false;
  #commas = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  *read(chunk: Uint8Array): Iterable<Message> {
    for (let at = 0; at < chunk.length;) {
      if (!this.#isInside) {
        while (isWhiteSpace(chunk[at])) at++;
        if (at === chunk.length) return;
        if (chunk[at] !== open) throw new ProtocolError("The stream is no JSON object");
      }
      const end = this.#endOf(chunk, at);
      const part = chunk.subarray(at, end);
      const size = this.#held.length + part.length;
      if (size > this.maxBytes) throw tooLong(size, this.maxBytes);
      at = end;
      if (this.#isInside) this.#held.append(part);
      else if (this.#held.length === 0) yield readJson(decodeText(part));
      else {
        this.#held.append(part);
        yield readJson(decodeText(this.#held.take()));
      }
    }
  }

  write(message: Message): string {
    return writeJson(message);
  }

  /** The end of the object that begins or continues at `start`, or the end of the chunk. */
  #endOf(chunk: Uint8Array, start: number): number {
    let at = start;
    if (!this.#isInside) {
      at++;
      this.#commas = 0;
    }
    // Local variables, since the loop runs once for each byte.
    let isInside = true;
    let isInText = this.#isInText;
    let isEscaped = this.#isEscaped;
    while (isInside && at < chunk.length) {
      const byte = chunk[at++];
      if (isEscaped) isEscaped = false;
      else if (byte === quote) isInText = !isInText;
      else if (isInText) isEscaped = byte === backslash;
      else if (byte === open || byte === openList) throw new ProtocolError("The stream is no flat JSON object");
      else if (byte === close) isInside = false;
      else if (byte === comma && ++this.#commas >= maxFields) throw new ProtocolError(`More than ${maxFields} fields`);
    }
    this.#isInside = isInside;
    this.#isInText = isInText;
    this.#isEscaped = isEscaped;
    return at;
  }
}
