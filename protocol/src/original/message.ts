/** One message of the original's wire, whatever it was written in. */
export interface OriginalMessage {
  readonly meta: number;
  readonly otherClient: string;
  readonly connectionId: string;
  /** Empty where the message has none. */
  readonly data: Uint8Array;
}

/** What a message is about: the numbers are the original's. */
export const metas = {
  data: 0,
  /** Of a type that isn't known, or of no use here. */
  invalid: 1,
  noSuchConnection: 2,
  unknownProtocol: 3,
  clientClosed: 4,
  open: 5,
  accept: 6,
  closed: 7,
  auth: 8,
  authOk: 9,
  authFailure: 10,
} as const;
