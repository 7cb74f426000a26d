import { after } from "../waiting.ts";

/** What the client needs of the place where it runs: see node.ts and browser.ts. */
export interface Platform {
  /**
   * Starts to open a WebSocket. It never throws: all that goes wrong comes as `onClose`, exactly once.
   *
   * @param url where, with scheme ws or wss.
   * @param subprotocol the format to speak.
   */
  dial(url: URL, subprotocol: string, credentials: Credentials, events: SocketEvents): Socket;
  /** Runs a callback once the current turn of the event loop is over: after microtasks, before any timer. */
  defer(callback: () => void): void;
  /** Calls back whenever the machine has lost its network or is on one again, where the platform knows. */
  onNetworkChange?(callback: () => void): () => void;
  /** Calls back when the program is about to vanish, where the platform knows: a page that is left. */
  onLeave?(callback: () => void): () => void;
  readonly clock: Clock;
}

/** Time and chance, so that tests can have their own. */
export interface Clock {
  /** Milliseconds from any start; never goes back. */
  now(this: void): number;
  /** Runs a callback after a delay, or never if that is Infinity; the returned function calls it off. */
  after(this: void, delayMs: number, callback: () => void): () => void;
  /** From 0 up to, but not including, 1. */
  random(this: void): number;
}

/** The machine's own. */
export const systemClock: Clock = { now: () => performance.now(), after, random: Math.random };

export interface Credentials {
  readonly name: string;
  readonly secret: string;
}

/** A WebSocket, as narrow as the client needs it. */
export interface Socket {
  /** Bytes given to `send` that the system has not taken yet. */
  readonly bufferedBytes: number;
  /** The bytes are the socket's until it calls `onTaken`; for good where the platform can't tell. */
  send(message: Uint8Array<ArrayBuffer> | string, onTaken?: () => void): void;
  /** Sends what was given to `send`, then closes. */
  close(code: number, reason: string): void;
  /** Lets go of the socket at once; what is unsent may be lost. */
  drop(): void;
}

export interface SocketEvents {
  onMessage(message: Uint8Array | string): void;
  /** `bufferedBytes` has fallen: comes some time after a `send` that found some, until there are none. */
  onDrain(): void;
  onClose(end: SocketEnd): void;
}

/** How a socket ended, or why it never opened. */
export interface SocketEnd {
  /** A WebSocket close code; 1006 where there was no closing handshake. */
  readonly closeCode: number;
  /** The reason that came with the code, or what the platform knows. */
  readonly reason: string;
  /** The HTTP status where the upgrade was refused and the platform shows it. */
  readonly httpStatus?: number;
  /** What the router asked for: not to come back all at once, but spread over so long. */
  readonly delayMs?: number;
}
