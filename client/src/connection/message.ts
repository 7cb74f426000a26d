/** A message as it was sent: text or bytes. */
export type Message = string | Uint8Array;
