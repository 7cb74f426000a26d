import { clientLimits } from "@messagepasser/protocol";

/**
 * How long to wait before the next attempt to connect: exponential backoff with full jitter, so that clients which lost
 * the router together don't return together.
 *
 * @param attempt 0 for the first attempt after a loss.
 * @param random a random number in [0, 1).
 * @param mostMs the upper bound. Default: 30,000.
 * @returns milliseconds, uniform between 0 and the smaller of 500 × 2^attempt and `mostMs`.
 */
export function backoffMs(attempt: number, random: number, mostMs: number = clientLimits.maxRetryMs): number {
  return random * Math.min(mostMs, clientLimits.firstRetryMs * 2 ** attempt);
}

/**
 * How much later than otherwise to come back, if the server asked clients to spread their reconnects.
 *
 * @param askedMs the time to spread them over; any number, since it comes from outside. Clamped to 0 to 60,000.
 * @param random a random number in [0, 1).
 */
export function spreadMs(askedMs: number, random: number): number {
  // Number("x") is NaN, for which Math.max gives NaN.
  return random * Math.min(Math.max(askedMs, 0) || 0, clientLimits.maxAskedDelayMs);
}
