/** What the client needs of the place where it runs: see node.ts and browser.ts. */
export interface Platform {
  /**
   * Starts to open a WebSocket. It never throws: all that goes wrong comes as `onClose`, exactly once.
   *
   * @param url where, with scheme ws or wss.
   */
  dial(url: URL, credentials: Credentials, events: SocketEvents): Socket;
  /** Runs a callback once the current turn of the event loop is over: after microtasks, before any timer. */
  defer(callback: () => void): void;
}

export interface Credentials {
  readonly name: string;
  readonly secret: string;
}

/** A WebSocket, as narrow as the client needs it. */
export interface Socket {
  /** The bytes are the socket's from now on. */
  send(message: Uint8Array<ArrayBuffer> | string): void;
  /** Sends what was given to `send`, then closes. */
  close(code: number, reason: string): void;
  /** Lets go of the socket at once; what is unsent may be lost. */
  drop(): void;
}

export interface SocketEvents {
  onMessage(message: Uint8Array | string): void;
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
}
