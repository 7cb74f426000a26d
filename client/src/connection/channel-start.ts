import type { ControlFrame, SegmentFormat } from "@messagepasser/protocol";
import type { Clock } from "../link/platform.ts";
import type { Turn } from "../link/turns.ts";
import type { Upkeep } from "./upkeep.ts";
import type { Budget } from "./budget.ts";
import type { Quota } from "./quota.ts";
import type { Channel } from "./channel.ts";
import type { RoundTrip } from "./window.ts";

/** Where a channel's frames go: the other end's address on the link. */
export interface Route {
  /** Whether the link takes no more data for now. */
  readonly isFull: boolean;
  frame(frame: ControlFrame): void;
  /** The parameters are those of `BatchWriter.data`, without the address. */
  data(connection: number, flags: number, offset: number, previousSegment: number, payload: Uint8Array): number;
  /** Calls `takeTurn` when the link takes data, in turn with others, until it returns false. */
  requestTurn(turn: Turn): void;
}

/** What all channels of a client share. */
export interface Shared {
  readonly clock: Clock;
  /** Of the frames that go with an open; absent for the native one. */
  readonly format: SegmentFormat | undefined;
  readonly budget: Budget;
  readonly upkeep: Upkeep;
}

/** What all channels with one peer share. */
export interface Path {
  readonly roundTrip: RoundTrip;
  readonly kept: Quota;
  /** What came of halves that don't count, and was not taken. */
  readonly uncounted: Quota;
}

/** What a channel is made with. */
export interface ChannelStart {
  /** The id as it stands in frames from the other end: with `openerBit` where that end opened. */
  readonly key: number;
  /** The other end's name. */
  readonly peer: string;
  readonly protocol: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly maxMessageBytes: number;
  readonly shared: Shared;
  readonly path: Path;
  /** Sends the open again: the other end may not have got it. */
  readonly reopen: (channel: Channel) => void;
  /** Both ends know that the Connection is over: no frame for it makes a difference any more. Comes exactly once. */
  readonly onForgotten: (channel: Channel) => void;
}
