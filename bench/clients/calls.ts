/** Who a client is, to the router. */
export interface Account {
  readonly name: string;
  readonly secret: string;
}

/** What a process with clients of the router may be asked. */
export interface ClientCalls {
  /** First call of all. */
  connect: { argument: { readonly url: string; readonly accounts: readonly Account[] }; answer: null };
  /**
   * Sends messages on each route, over so many Connections each, as fast as they are taken, until `stop`. Answers when
   * all of them are open.
   */
  send: {
    argument: { readonly routes: readonly Route[]; readonly connectionsEach: number; readonly messageBytes: number };
    answer: null;
  };
  /** Ends all that `send` began; answers how many messages went out, once the peers have confirmed every one. */
  stop: { argument: null; answer: number };
  /** How many messages came until now, and how many of them out of order. */
  received: { argument: null; answer: Received };
  /** Opens a Connection that the peer never reads, and fills it. */
  fillUnread: { argument: Route; answer: null };
  /** Milliseconds of round trips over one Connection, one after the other. */
  roundTrips: { argument: Route & { readonly durationMs: number }; answer: readonly number[] };
  /** Waits until each client has lost its link and has one again, once more than at the last such call. */
  returns: { argument: null; answer: readonly Return[] };
  /** How many clients the first one sees in its realm. */
  countPeers: { argument: null; answer: number };
}

/** From a client of the process to any other. */
export interface Route {
  readonly from: string;
  readonly to: string;
}

export interface Received {
  readonly timeMs: number;
  readonly messages: number;
  readonly disorder: number;
}

/** How a client came back, in milliseconds since the epoch. */
export interface Return {
  /** When the pause was over after which it dialled and got through. */
  readonly dialledMs: number;
  readonly onlineMs: number;
}
