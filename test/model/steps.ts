import type { Fate } from "./calls.ts";

/** What the other end's program does with an open: take it, take it by an answer, wait, or refuse it. */
export type Protocol = "take" | "answer" | "wait" | "refuse";

/** Which sessions of a name an open is for: any, those of an instance, or one in particular. */
export type Aim = "any" | "instance" | "session";

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
      /** Default: any. */
      readonly aim?: Aim;
      /** Chooses the instance or the session. */
      readonly at?: number;
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
  /** From now on nothing gets through a wire, which neither end notices; or something again. */
  | { readonly do: "stall" | "unstall"; readonly wire: number }
  /** An object of the router dies with all links, and another one begins. Of what it had sent, and of calls, the first still arrive. */
  | { readonly do: "kill"; readonly survivors: number; readonly shard?: number }
  /** An object of the router sleeps and wakes, if the runtime lets it. */
  | { readonly do: "sleep"; readonly shard?: number }
  /** The same as `kill`, and from now on the object is of another version than it was. */
  | { readonly do: "deploy"; readonly survivors: number; readonly shard: number }
  /** The alarm of an object. */
  | { readonly do: "alarm"; readonly shard: number }
  /** A call between two objects ends. */
  | { readonly do: "call"; readonly call: number; readonly fate: Fate }
  /** A call arrives that failed long ago. */
  | { readonly do: "late"; readonly call: number }
  /** Another client of the same name and instance begins, after the one before has said bye, or without. */
  | { readonly do: "restart"; readonly who: number; readonly saysBye: boolean }
  /** One more session of a name begins. It takes over its instance, if it has one. */
  | { readonly do: "join"; readonly who: number; readonly instance: string; readonly says: Says }
  /** A program and its machine are gone, of which nobody tells the router. */
  | { readonly do: "vanish"; readonly who: number }
  /** A client begins to handle a protocol, alone or as one of several that share it. */
  | { readonly do: "handle"; readonly who: number; readonly protocol: Protocol; readonly isShared: boolean }
  | { readonly do: "unhandle"; readonly who: number; readonly protocol: Protocol };

/** What a client says that it serves when it begins: all protocols, alone or shared; none of these; or it says nothing ever. */
export type Says = "all" | "shared" | "none" | "nothing";

/** Longer than a schedule can last. */
export const longGraceMs = 3_600_000;

export interface Schedule {
  readonly names: number;
  /** How many objects the router has. Default: 1 */
  readonly shards?: number;
  /** What the first client of each name says. */
  readonly says: Says;
  /** How long ends wait for each other: so long that it never matters, or so short that it does. */
  readonly graceMs: number;
  readonly seed: number;
  readonly steps: readonly Step[];
}
