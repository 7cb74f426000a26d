/** Who a client is, to the router. */
export interface Account {
  readonly name: string;
  readonly secret: string;
}

/** What a process with clients of the router may be asked. */
export interface ClientCalls {
  /** Connects more clients. */
  connect: { argument: { readonly url: string; readonly accounts: readonly Account[] }; answer: null };
  /** Opens a Connection for each of these; a route may be there many times. */
  open: { argument: { readonly routes: readonly Route[] }; answer: null };
  /** Sends messages on all that `open` has opened, as fast as they are taken, until `stop`. */
  send: { argument: { readonly messageBytes: number; readonly quota: SharedQuota | null }; answer: null };
  /** Closes all that `open` has opened; answers how many messages went out, once the peers have confirmed every one. */
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

/** So many messages are under way at most, on all Connections together. All go to one process, which tells how many came. */
export interface SharedQuota {
  readonly messages: number;
  /** On which it tells. */
  readonly route: Route;
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
