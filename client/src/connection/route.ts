import type { ControlFrame, DataTarget } from "@messagepasser/protocol";
import type { Turn } from "../link/turns.ts";

/** What carries frames: the link. */
export interface Carrier {
  /** Whether the link takes no more data for now. */
  readonly isFull: boolean;
  /** How much of a message should be written at once, so that others come in between. */
  readonly pieceBytes: number;
  frame(address: number, frame: ControlFrame): void;
  /** The parameters are those of `BatchWriter.data`. */
  data(target: DataTarget, flags: number, offset: number, payload: Uint8Array): void;
  /** Calls `takeTurn` when data can be written, in turn with others, until it returns false. */
  requestTurn(turn: Turn): void;
}

/** Where a peer can be reached: its address on a link. */
export interface Destination {
  readonly carrier: Carrier;
  readonly address: number;
}

/** A channel's way to its other end, and what is true only for as long as that is reached at this address. */
export class Route implements DataTarget {
  readonly carrier: Carrier;
  readonly address: number;
  /** The Connection's id in frames to the other end. */
  readonly connection: number;
  /** Whether the other end has said here where it stands: before, nothing can be sent. */
  isInStep: boolean;
  /** Whether the other end was told here that this end is done. */
  hasSaidDone = false;
  /** Whether the link will call `takeTurn`. */
  hasTurn = false;

  constructor({ carrier, address }: Destination, connection: number, isInStep: boolean) {
    this.carrier = carrier;
    this.address = address;
    this.connection = connection;
    this.isInStep = isInStep;
  }
}
