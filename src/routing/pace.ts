import { limits, routerLimits } from "@messagepasser/protocol";

/**
 * How fast a link drains, learned from its answers to marks, and what that is as a budget: half a second's bytes and what
 * is under way for two round trips, since more would only wait before a slow link.
 */
export class Pace {
  /** The largest budget that the link's speed is a reason for. */
  budgetBytes: number = routerLimits.firstBudgetBytes;
  #leastMs = Infinity;
  #reachedAtMs = 0;

  /**
   * The client has reached a mark.
   *
   * @param bytes what it has read since the last one that it reached
   * @param sentAtMs when the oldest and the latest mark of those that it has reached by now were sent
   */
  reached(bytes: number, sentAtMs: { readonly first: number; readonly last: number }, nowMs: number): void {
    this.#leastMs = Math.min(this.#leastMs, Math.max(0, nowMs - sentAtMs.last));
    // Before its mark was sent, a link was not waited for.
    const elapsedMs = nowMs - Math.max(this.#reachedAtMs, sentAtMs.first);
    this.#reachedAtMs = nowMs;
    if (bytes < routerLimits.minPaceSampleBytes) return;
    const budgetBytes = elapsedMs <= 0 ? Infinity : (bytes / elapsedMs) * (routerLimits.paceMs + 2 * this.#leastMs);
    const bounded = Math.min(limits.maxBudgetBytes, Math.max(routerLimits.minPaceBytes, budgetBytes));
    // One early or late answer says little.
    this.budgetBytes = Math.min(2 * this.budgetBytes, Math.max(bounded, (this.budgetBytes + bounded) / 2));
  }
}
