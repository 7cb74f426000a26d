/** One message of the original's wire, whatever it was written in. */
export interface OriginalMessage {
  readonly meta: number;
  readonly otherClient: string;
  readonly connectionId: string;
  /** Empty where the message has none. */
  readonly data: Uint8Array;
}
