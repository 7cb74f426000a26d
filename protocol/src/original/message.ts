/** One message of the original's wire, in whichever encoding. */
export interface Message {
  readonly meta: number;
  readonly otherClient: string;
  readonly connectionId: string;
  /** Empty if the message has none. */
  readonly data: Uint8Array;
}

/** What a message is about. The numbers are the original's. */
export const metas = {
  data: 0,
  /** Of an unknown type, or invalid. */
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
