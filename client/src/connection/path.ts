import type { Clock } from "../link/platform.ts";
import type { Budget } from "./budget.ts";
import type { Quota } from "./quota.ts";
import type { Upkeep } from "./upkeep.ts";
import type { RoundTrip } from "./window.ts";

/** The state that all channels of a client share. */
export interface Shared {
  readonly clock: Clock;
  readonly budget: Budget;
  readonly upkeep: Upkeep;
}

/** The state that all channels with one peer share. */
export interface Path {
  readonly roundTrip: RoundTrip;
  /** Bytes that were sent and not acknowledged. */
  readonly kept: Quota;
  /** Bytes that arrived from senders without flow control, and were not taken. */
  readonly uncounted: Quota;
}
