interface Event {
  readonly atMs: number;
  /** Events of one moment happen in the order in which they were set. */
  readonly order: number;
  readonly callback: () => void;
}

/** Time that passes as fast as its events are carried out. */
export class SimulatedClock {
  nowMs = 0;
  /** Each is earlier than the two behind twice its place. */
  readonly #heap: Event[] = [];
  #count = 0;

  after(delayMs: number, callback: () => void): void {
    const heap = this.#heap;
    const event = { atMs: this.nowMs + delayMs, order: this.#count++, callback };
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above];
      if (other === undefined || isEarlier(other, event)) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = event;
  }

  /** Carries out everything up to a time. */
  runUntil(endMs: number): void {
    for (let event = this.#heap[0]; event !== undefined && event.atMs <= endMs; event = this.#heap[0]) {
      this.#removeFirst();
      this.nowMs = event.atMs;
      event.callback();
    }
    this.nowMs = endMs;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && isEarlier(right, left);
      const first = isRight ? right : left;
      if (isEarlier(last, first)) break;
      heap[at] = first;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isEarlier(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
