import type { Protocol } from "./talk.ts";

/**
 * What a schedule does, one after the other. Numbers choose among those that there are at that time, so that every
 * schedule can be run, and what is left of one when steps are taken out of it as well.
 */
export type Step =
  /** So many messages of one wire get to the router, or to the client, in one turn of its event loop. */
  | { readonly do: "up" | "down"; readonly wire: number; readonly count: number }
  /** Everything under way arrives, and so does everything that it causes. */
  | { readonly do: "flow" }
  /** Time passes; with `flows`, while all that is under way arrives. */
  | { readonly do: "pass"; readonly ms: number; readonly flows: boolean }
  | {
      readonly do: "open";
      readonly from: number;
      readonly to: number;
      readonly protocol: Protocol;
      /** The size of a first message that goes with the open. */
      readonly first: number | undefined;
    }
  | { readonly do: "send"; readonly end: number; readonly size: number; readonly isText: boolean }
  | { readonly do: "receive"; readonly end: number; readonly forAll: boolean }
  | { readonly do: "end" | "close" | "abort"; readonly end: number }
  /** A handler that took its time takes a Connection, or refuses it. */
  | { readonly do: "decide"; readonly end: number; readonly accepts: boolean }
  /** An opener waits for the answer no longer. */
  | { readonly do: "giveUp"; readonly open: number }
  /** A wire breaks. To who doesn't notice, the first messages that were under way still get. */
  | {
      readonly do: "break";
      readonly wire: number;
      readonly noticed: "client" | "router" | "both";
      readonly survivors: number;
    }
  /** The router dies with all links, and another one begins. Of what it had sent, the first messages still arrive. */
  | { readonly do: "kill"; readonly survivors: number }
  /** The router sleeps and wakes. */
  | { readonly do: "sleep" }
  /** Another client of the same name begins, after the one before has said bye, or without. */
  | { readonly do: "restart"; readonly who: number; readonly saysBye: boolean };

export interface Schedule {
  readonly names: number;
  /** How long ends wait for each other: so long that it never matters, or so short that it does. */
  readonly graceMs: number;
  readonly seed: number;
  readonly steps: readonly Step[];
}
