import type { OtherEnd, Path, Shared } from "./path.ts";
import type { Destination } from "./route.ts";

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
  /** Has the session at the other end, once that is known. */
  readonly home: OtherEnd;
  /** Sends the open again: the other end may not have got it. */
  readonly reopen: () => void;
  /** Both ends know that the Connection is over: no frame for it makes a difference any more. Comes exactly once. */
  readonly onForgotten: () => void;
}

/** How the other end opened: where it can be reached, and how much it takes. */
export interface Opened {
  readonly from: Destination | undefined;
  readonly limit: number;
}
