const firstCapacity = 1_024;

/**
 * The part of a message that has come, while the rest is yet to come. Takes memory for what came, never for what was
 * announced, and in one piece: a message that comes byte by byte costs no more than any other.
 */
export class HeldBytes {
  #bytes = new Uint8Array();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What is held, until the next call of anything here. */
  get view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(firstCapacity, length, 2 * this.#bytes.length));
      grown.set(this.view);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /** Gives away what is held, and holds nothing any more. */
  take(): Uint8Array {
    const bytes = this.view;
    this.#bytes = new Uint8Array();
    this.#length = 0;
    return bytes;
  }
}
