import type { Downlink } from "../link/downlink.ts";
import type { Clock } from "../link/platform.ts";
import type { Assemblies } from "./assemblies.ts";
import type { Budget, Share } from "./budget.ts";
import type { Leftovers } from "./leftovers.ts";
import type { Quota } from "./quota.ts";
import type { Upkeep } from "./upkeep.ts";
import type { RoundTrip } from "./window.ts";
import type { ConnectionStatus } from "../status.ts";

/** The state that all channels of a client share. */
export interface Shared {
  readonly clock: Clock;
  readonly budget: Budget;
  readonly upkeep: Upkeep;
}

/** What a client holds for one principal: a peer, all its sessions, and the guests that it invited. */
export interface Account {
  readonly budget: Share;
  /** Bytes that were sent and not acknowledged. */
  readonly kept: Quota;
  /** Bytes that arrived from senders without flow control, and were not taken. */
  readonly uncounted: Quota;
  /** Bytes of batches in which something waits to be taken. */
  readonly batches: Quota;
  /** Bytes of the first messages and the metadata of opens that are neither accepted nor rejected. */
  readonly undecided: Quota;
  /** These opens themselves. */
  pendingOpens: number;
  /** Connections, whichever end opened them, of which the other end may still want to be told something. */
  connections: number;
  readonly assemblies: Assemblies;
  readonly leftovers: Leftovers;
}

/** The state that all channels with one peer share. */
export interface Path {
  readonly downlink: Downlink;
  readonly roundTrip: RoundTrip;
  readonly account: Account;
}

/** Which session has the other end of a channel, once that is known. */
export interface OtherEnd {
  readonly peer: Other | undefined;
  /** Whether another session may have got the open too. */
  readonly hasStrayed?: boolean;
}

interface Other {
  readonly session: string;
  readonly instance: string;
  readonly status: ConnectionStatus;
}
