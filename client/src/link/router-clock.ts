/** The router's clock, of which it tells milliseconds modulo 2^32, without the modulo. It begins anywhere. */
export class RouterClock {
  #toldMs: number | undefined;
  #timeMs = 0;

  at(toldMs: number): number {
    if (this.#toldMs !== undefined) this.#timeMs += (toldMs - this.#toldMs) | 0;
    this.#toldMs = toldMs;
    return this.#timeMs;
  }
}
