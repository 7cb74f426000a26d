import { after } from "../waiting.ts";

/** What the client needs from its runtime; node.ts and browser.ts implement it. */
export interface Platform {
  /**
   * Starts opening a WebSocket. Never throws: every failure arrives as `onClose`, exactly once.
   *
   * @param url the router's URL, with scheme ws or wss.
   * @param subprotocol the subprotocol of the wire format.
   */
  dial(url: URL, subprotocol: string, credentials: Credentials, events: SocketEvents): Socket;
  /** Runs a callback once the current turn of the event loop is over: after microtasks, before any timer. */
  defer(callback: () => void): void;
  /** Calls back when the machine goes offline or online, on platforms that can tell. Returns a function that stops it. */
  onNetworkChange?(callback: () => void): () => void;
  /** Calls back when the program is about to end, on platforms that can tell: a page that is left. */
  onLeave?(callback: () => void): () => void;
  readonly clock: Clock;
}

/** Time and randomness, which tests replace. */
export interface Clock {
  /** Milliseconds since an arbitrary start. Monotonic. */
  now(this: void): number;
  /** Runs a callback after a delay, or never if the delay is Infinity. Returns a function that cancels it. */
  after(this: void, delayMs: number, callback: () => void): () => void;
  /** A random number in [0, 1). */
  random(this: void): number;
}

/** The clock of the machine. */
export const systemClock: Clock = { now: () => performance.now(), after, random: Math.random };

export interface Credentials {
  readonly name: string;
  readonly secret: string;
}

/** The part of a WebSocket that the client needs. */
export interface Socket {
  /** Bytes given to `send` that the system hasn't accepted yet. */
  readonly bufferedBytes: number;
  /** Hands the bytes over to the socket until it calls `onTaken`; for good if the platform can't tell. */
  send(message: Uint8Array<ArrayBuffer> | string, onTaken?: () => void): void;
  /** Sends everything given to `send`, then closes. */
  close(code: number, reason: string): void;
  /** Ends the socket at once; unsent bytes may be lost. */
  drop(): void;
}

export interface SocketEvents {
  onMessage(message: Uint8Array | string): void;
  /** `bufferedBytes` has fallen. Called some time after a `send` that had to buffer, until the buffer is empty. */
  onDrain(): void;
  onClose(end: SocketEnd): void;
}

/** How a socket ended, or why it never opened. */
export interface SocketEnd {
  /**
   * A WebSocket close code; 1006 if there was no closing handshake. If the router refused the upgrade, the code that a page
   * gets for that. The answer of anything else on the way, such as a proxy or a captive portal, says nothing about the
   * router: 1006.
   */
  readonly closeCode: number;
  /** The reason that came with the code, or the platform's own. */
  readonly reason: string;
  /** The platform's own error, or that of the function that gives the secret, if there is one. */
  readonly cause?: unknown;
  /** Whether the function that gives the secret gave none, so that nothing was dialled. Default: false. */
  readonly isWithoutSecret?: boolean;
  /** The time over which the router asked clients to spread their reconnects. Default: 0. */
  readonly delayMs?: number;
}
