import type { EndFormat, RoundTimes } from "../ends/end.ts";
import type { Peer } from "../peer.ts";

/** The two ends of one system: of the router or of the relay. */
export interface Ends {
  readonly sender: Peer;
  readonly receiver: Peer;
}

/** The formats of sender and receiver. */
export type Formats = readonly [sender: EndFormat, receiver: EndFormat];

/** Figures of one round, by what they measure. */
export type Figures = Readonly<Record<string, number>>;

/** What the issue of speed promises of a ratio of router to relay. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** A figure that a scenario compares. */
export interface Metric {
  /** Of `Figures`. */
  readonly figure: string;
  readonly title: string;
  readonly unit: "MB/s" | "µs";
  readonly target?: Target;
}

/** Something to measure on the router and on the relay. */
export interface Scenario {
  readonly name: string;
  readonly metrics: readonly Metric[];
  /** Of the router's ends, where not both are native. */
  readonly formats?: Formats;
  router(ends: Ends, times: RoundTimes): Promise<Figures>;
  relay(ends: Ends, times: RoundTimes): Promise<Figures>;
}
