/** A Connection that has data to send. */
export interface Turn {
  /** Writes about one frame. Returns whether there is more to write. */
  takeTurn(): boolean;
}

/** Lets Connections with data write in turn, so that a large message doesn't delay a small one. */
export class Turns {
  /** In order of arrival. */
  readonly #waiting = new Set<Turn>();

  /** Does nothing if it waits already, so that a peer that reconnects often gets no extra turns. */
  add(turn: Turn): void {
    this.#waiting.add(turn);
  }

  /** Gives turns, one after the other, until the link is full. */
  serve(isFull: () => boolean): void {
    // The iteration also visits those that are put back at the end.
    for (const turn of this.#waiting) {
      if (isFull()) return;
      this.#waiting.delete(turn);
      if (turn.takeTurn()) this.#waiting.add(turn);
    }
  }
}
