import { LinkDelay } from "./delay.ts";

/** What comes so much later than what comes next was late, and did not wait. */
const lateMs = 30;
/** Of fewer, each may have been late. */
const leastCount = 3;
/** How many of the last are remembered. */
const remembered = 5;

/**
 * How long what comes from the router has waited on its way, by the router's clock: what it waited is what it took longer
 * than the shortest way of late, however the two clocks differ. Pure.
 */
export class ArrivalDelay {
  readonly #delay = new LinkDelay();
  /** The latest first. */
  #arrivals: { readonly atMs: number; readonly delayMs: number }[] = [];
  /** The router's clock, as it was told and without the modulo. */
  #toldMs: number | undefined;
  #routerMs = 0;
  /** The least since it was taken, and of how many. */
  #leastDelayMs = Infinity;
  #count = 0;

  /** The router's clock came, in milliseconds modulo 2^32. @param wayMs how long the way there and back is. */
  add(timeMs: number, nowMs: number, wayMs: number): void {
    this.#routerMs += this.#toldMs === undefined ? 0 : (timeMs - this.#toldMs) | 0;
    this.#toldMs = timeMs;
    const delayMs = nowMs - this.#routerMs;
    this.#delay.add(delayMs, nowMs, wayMs);
    this.#leastDelayMs = Math.min(this.#leastDelayMs, delayMs);
    this.#count++;
    this.#arrivals = [{ atMs: nowMs, delayMs }, ...this.#arrivals.slice(0, remembered - 1)];
  }

  /** Whether little may be under way now, so that what comes doesn't wait. @param mostMs for how long at most. */
  isDraining(nowMs: number, mostMs?: number): boolean {
    return this.#delay.isDraining(nowMs, mostMs);
  }

  /** What came last didn't wait: the way has become longer, or a clock was set. */
  restart(): void {
    const [last] = this.#arrivals;
    if (last === undefined) return;
    this.#delay.restart(last.delayMs);
    this.#arrivals = [last];
  }

  /** How long what came last has waited. What was late itself is followed by what wasn't. */
  get queueMs(): number {
    const [last] = this.#arrivals;
    if (last === undefined) return 0;
    const delays = this.#arrivals.filter(({ atMs }) => atMs > last.atMs - lateMs).map(({ delayMs }) => delayMs);
    return Math.min(...delays) - this.#delay.wayMs;
  }

  /** How long what came last has waited, if it came since then. */
  lastQueueMs(sinceMs: number): number | undefined {
    const [last] = this.#arrivals;
    return last === undefined || last.atMs < sinceMs ? undefined : last.delayMs - this.#delay.wayMs;
  }

  /** The median of what came since then; 0 where nothing came. */
  medianQueueMs(sinceMs: number): number {
    const delays = this.#arrivals.filter(({ atMs }) => atMs > sinceMs).map(({ delayMs }) => delayMs);
    const median = delays.sort((one, other) => one - other)[delays.length >> 1];
    return median === undefined ? 0 : median - this.#delay.wayMs;
  }

  /** The least of all that came since the last call. @param isLittle whether it was so little that it hardly waits. */
  takeLeastQueueMs(isLittle: boolean): number {
    const leastMs = isLittle && this.#count < leastCount ? 0 : this.#leastDelayMs - this.#delay.wayMs;
    this.#leastDelayMs = Infinity;
    this.#count = 0;
    return leastMs;
  }
}
