/**
 * Puts the pieces of a message together as they come. It copies each one, so that a message of many tiny pieces costs no
 * more memory than its bytes, whatever batches they came in.
 */
export class Assembly {
  #bytes = new Uint8Array();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(piece: Uint8Array): void {
    const start = this.#length;
    this.#length += piece.length;
    if (this.#length > this.#bytes.length) {
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(Math.max(this.#length, this.#bytes.length * 2)));
    }
    this.#bytes.set(piece, start);
  }

  /** The message; the assembly is of no use afterwards. */
  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.buffer.transfer(this.#length));
  }
}
