/** How long what is sent may wait on a link: enough that the line is never idle, and little for what comes behind. */
export const targetMs = 7;
/** How often what waits is let off, to see how long the way is: at least so many ms, and so many ways. */
const [leastPeriodMs, periodWays] = [5_000, 100];
/** What comes so much later than what comes next was late, and did not wait. */
const lateMs = 20;
/** What was measured so long before is not known any more. */
const forgetMs = 10_000;
/** How many of the last are remembered. */
const remembered = 5;

/**
 * How long what is sent in one direction waits on its way: what it took longer than the shortest way of late, by the clocks
 * of both ends, however these differ. Where something always waits, even the least has waited. So there is a drain now and
 * then, in which less is sent. Pure.
 */
export class QueueDelay {
  /** The least of this period, and of the one before. Each ends with a drain. */
  #leastMs = Infinity;
  #leastBeforeMs = Infinity;
  #drainMs = Infinity;
  /** The latest first. */
  #last: { readonly heardMs: number; readonly delayMs: number }[] = [];

  /** Something has arrived. @param delayMs when, by the clock there, less when it was sent, by the clock here. @param lagMs how long it takes until less that is sent is heard of. */
  add(delayMs: number, heardMs: number, lagMs: number): void {
    // The two clocks drift.
    if (heardMs > (this.#last[0]?.heardMs ?? heardMs) + forgetMs) this.#leastMs = this.#leastBeforeMs = Infinity;
    this.#leastMs = Math.min(this.#leastMs, delayMs);
    const isDrained = heardMs > this.#drainMs + lagMs + 2 * targetMs;
    if (isDrained) [this.#leastBeforeMs, this.#leastMs] = [this.#leastMs, Infinity];
    if (isDrained || this.#drainMs === Infinity) this.#drainMs = heardMs + Math.max(leastPeriodMs, periodWays * lagMs);
    this.#last = [{ heardMs, delayMs }, ...this.#last.slice(0, remembered - 1)];
  }

  /** Whether less is to be sent now, so that what comes doesn't wait. */
  isDraining(nowMs: number): boolean {
    return nowMs >= this.#drainMs;
  }

  /** What came last didn't wait: the way has become longer, or a clock was set. */
  restart(): void {
    const [last] = this.#last;
    if (last === undefined) return;
    this.#leastMs = this.#leastBeforeMs = last.delayMs;
    this.#last = [last];
  }

  /** How long what came last has waited. What was late itself is followed by what wasn't. */
  get queueMs(): number {
    const [last] = this.#last;
    if (last === undefined) return 0;
    const delays = this.#last.filter(({ heardMs }) => heardMs > last.heardMs - lateMs).map(({ delayMs }) => delayMs);
    return Math.min(...delays) - this.#wayMs;
  }

  /** How long the last one itself has waited. */
  get lastQueueMs(): number {
    return (this.#last[0]?.delayMs ?? this.#wayMs) - this.#wayMs;
  }

  get #wayMs(): number {
    return Math.min(this.#leastMs, this.#leastBeforeMs);
  }
}
