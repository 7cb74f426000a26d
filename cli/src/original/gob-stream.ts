import { ByteBuffer, ProtocolError } from "@messagepasser/protocol";
import { encodeGob, gobDefinition, GobReader, type OriginalMessage } from "./original.ts";
import { type MessageStream, tooLong } from "./stream.ts";

/** A stream of Go's encoding/gob: each message has its length in front. */
export class GobStream implements MessageStream {
  maxBytes: number;
  readonly #reader = new GobReader(new Uint8Array());
  readonly #held = new ByteBuffer();
  #hasDefined = false;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  *read(chunk: Uint8Array): Iterable<OriginalMessage> {
    const held = this.#held;
    for (let at = 0; at < chunk.length;) {
      const rest = chunk.subarray(at);
      const size = this.#sizeOf(held.length === 0 ? rest : held.view);
      // Without its length whole, the next byte may be the last of that.
      const missing = (size ?? held.length + 1) - held.length;
      at += Math.min(missing, rest.length);
      if (size === undefined || missing > rest.length) held.append(rest.subarray(0, missing));
      else if (held.length === 0) yield* this.#reader.read(rest.subarray(0, missing));
      else {
        held.append(rest.subarray(0, missing));
        yield* this.#reader.read(held.take());
      }
    }
  }

  write(message: OriginalMessage): Uint8Array {
    const bytes = encodeGob(message);
    if (this.#hasDefined) return bytes;
    this.#hasDefined = true;
    const both = new Uint8Array(gobDefinition.length + bytes.length);
    both.set(gobDefinition);
    both.set(bytes, gobDefinition.length);
    return both;
  }

  /** How long the message is that begins here, its length included; `undefined` where that is not all there yet. */
  #sizeOf(bytes: Uint8Array): number | undefined {
    const [first] = bytes;
    if (first === undefined) return undefined;
    if (first < 0x80) return 1 + first;
    const digits = 0x100 - first;
    if (digits > 8) throw new ProtocolError("What came is neither gob nor JSON");
    if (bytes.length < 1 + digits) return undefined;
    const length = bytes.subarray(1, 1 + digits).reduce((value, byte) => value * 0x100 + byte, 0);
    const size = 1 + digits + length;
    if (size > this.maxBytes) throw tooLong(size, this.maxBytes);
    return size;
  }
}
