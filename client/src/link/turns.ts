import { Queue } from "../queue.ts";

/** Something that has data to send. */
export interface Turn {
  /** Writes a frame or so. Returns whether there is more to write. */
  takeTurn(): boolean;
}

/** Lets those who have data to send write in turn, so that a large message doesn't hold up a small one. */
export class Turns {
  readonly #waiting = new Queue<Turn>();

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(turn: Turn): void {
    this.#waiting.push(turn);
  }

  /** One turn for each after the other, for as long as the link takes data. */
  serve(isFull: () => boolean): void {
    while (!isFull()) {
      const turn = this.#waiting.shift();
      if (turn === undefined) return;
      if (turn.takeTurn()) this.#waiting.push(turn);
    }
  }
}
