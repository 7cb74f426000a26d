import type { Quota } from "./quota.ts";
import type { RoundTrip } from "./window.ts";

/** What all channels with one peer share. */
export interface Path {
  readonly roundTrip: RoundTrip;
  readonly kept: Quota;
  /** What came of halves that don't count, and was not taken. */
  readonly uncounted: Quota;
}
