/** A Connection that has data to send. */
export interface Turn {
  /** Writes about one frame. Returns whether there is more to write. */
  takeTurn(): boolean;
}

/**
 * Lets Connections with data write in turn, so that a large message doesn't delay a small one. A Connection that had no turn
 * in this round comes before all that had one, so that many large messages don't delay it either.
 */
export class Turns {
  /** Each set is in order of arrival. */
  readonly #fresh = new Set<Turn>();
  readonly #waiting = new Set<Turn>();
  /** The Connections that had a turn in this round. */
  readonly #served = new Set<Turn>();
  /** How many of those that wait are still to have their turn in this round. */
  #leftInRound = 0;

  get isEmpty(): boolean {
    return this.#fresh.size === 0 && this.#waiting.size === 0;
  }

  /** Does nothing for a Connection that waits already, so that a peer that reconnects often gets no extra turns. */
  add(turn: Turn): void {
    if (this.#served.has(turn)) this.#waiting.add(turn);
    else if (!this.#waiting.has(turn)) this.#fresh.add(turn);
  }

  /** Gives turns, one after the other, until the link is full. */
  serve(isFull: () => boolean): void {
    while (!isFull()) {
      if (this.#leftInRound === 0 && this.#fresh.size === 0) {
        this.#served.clear();
        this.#leftInRound = this.#waiting.size;
        if (this.#leftInRound === 0) return;
      }
      const from = this.#fresh.size > 0 ? this.#fresh : this.#waiting;
      if (from === this.#waiting) this.#leftInRound--;
      for (const turn of from) {
        from.delete(turn);
        this.#served.add(turn);
        if (turn.takeTurn()) this.#waiting.add(turn);
        break;
      }
    }
  }
}
