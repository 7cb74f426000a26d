/** Something that has data to send. */
export interface Turn {
  /** Writes a frame or so. Returns whether there is more to write. */
  takeTurn(): boolean;
}

/** Lets those who have data to send write in turn, so that a large message doesn't hold up a small one. */
export class Turns {
  /** In the order in which they came. */
  readonly #waiting = new Set<Turn>();

  /** Does nothing where it waits already: a peer that comes and goes gives its Connections no more turns than others have. */
  add(turn: Turn): void {
    this.#waiting.add(turn);
  }

  /** One turn for each after the other, for as long as the link takes data. */
  serve(isFull: () => boolean): void {
    // Who is put to the end again comes round again.
    for (const turn of this.#waiting) {
      if (isFull()) return;
      this.#waiting.delete(turn);
      if (turn.takeTurn()) this.#waiting.add(turn);
    }
  }
}
