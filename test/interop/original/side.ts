/** Received messages. `over` says why there are fewer than were asked for: the original's error, or our code. */
export interface Received {
  readonly messages: readonly Uint8Array[];
  readonly over: string | undefined;
}

/** One end of a Connection, of the original's client or of ours. Bytes only: the original knows no texts. */
export interface End {
  /** Rejects where this end can tell that nobody takes it. */
  send(...messages: readonly Uint8Array[]): Promise<void>;
  receive(count: number): Promise<Received>;
  close(): Promise<void>;
}

/** A client that echoes what comes with the protocol "echo", leaves "talk" to the test, and takes no other one. */
export interface Side extends AsyncDisposable {
  /** Rejects with the original's error, or our code, as its message. */
  open(peer: string, protocol: string): Promise<End>;
  /** The next Connection of "talk" that a peer opens. */
  accept(): Promise<End>;
}
