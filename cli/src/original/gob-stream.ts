import { ByteBuffer, ProtocolError } from "@messagepasser/protocol";
import { encodeGob, gobDefinition, GobReader, type Message } from "@messagepasser/protocol/original";
import { type MessageStream, tooLong } from "./message.ts";

/** A stream of Go's encoding/gob. Each message has its length in front. */
export class GobStream implements MessageStream {
  maxBytes: number;
  readonly #reader = new GobReader(new Uint8Array());
  /** The part of a message that has arrived before the rest. */
  readonly #held = new ByteBuffer();
  #hasDefined = false;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  *read(chunk: Uint8Array): Iterable<Message> {
    const held = this.#held;
    for (let at = 0; at < chunk.length;) {
      const rest = chunk.subarray(at);
      const size = this.#sizeOf(held.length === 0 ? rest : held.view);
      // While the length is incomplete, the next byte may be its last.
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

  write(message: Message): Uint8Array {
    const whole = new ByteBuffer();
    if (!this.#hasDefined) whole.append(gobDefinition);
    this.#hasDefined = true;
    whole.append(encodeGob(message));
    return whole.take();
  }

  /** The size of the message that begins here, its length included; `undefined` while the length is incomplete. */
  #sizeOf(bytes: Uint8Array): number | undefined {
    const [first] = bytes;
    if (first === undefined) return undefined;
    if (first < 0x80) return 1 + first;
    const digits = 0x100 - first;
    if (digits > 8) throw new ProtocolError("The stream is neither gob nor JSON");
    if (bytes.length < 1 + digits) return undefined;
    const length = bytes.subarray(1, 1 + digits).reduce((value, byte) => value * 0x100 + byte, 0);
    const size = 1 + digits + length;
    if (size > this.maxBytes) throw tooLong(size, this.maxBytes);
    return size;
  }
}
