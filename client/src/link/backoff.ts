const firstMs = 500;

/**
 * How long to wait before another attempt: exponential backoff with full jitter, so that those who lost a router together
 * don't come back together.
 *
 * @param attempt 0 for the first one after a loss.
 * @param random from 0 up to, but not including, 1.
 * @param mostMs 30 s by default.
 * @returns milliseconds, evenly spread from 0 up to 500 × 2^attempt, and never beyond `mostMs`.
 */
export function backoffMs(attempt: number, random: number, mostMs = 30_000): number {
  return random * Math.min(mostMs, firstMs * 2 ** attempt);
}
