import type { LinkError } from "./errors.ts";

/** The state of a client's link to the router, to be shown to people. The client reconnects by itself. */
export type LinkStatus =
  | {
      /** The link is lost, or another attempt to connect has failed. */
      readonly kind: "offline";
      /** Why. */
      readonly error: LinkError;
      /** In how many milliseconds the client tries again, from when `onStatus` is told. */
      readonly retryInMs: number;
    }
  | {
      /** The router has let the client in. */
      readonly kind: "online";
    }
  | {
      /** The client has ended: its `closed` tells why. */
      readonly kind: "closed";
    };

/** What happened to the client's link or to a peer's. */
export type Status =
  | LinkStatus
  | {
      /** A peer that was unreachable is back, and the Connections with it continue. */
      readonly kind: "resumed";
      /** The peer's name. */
      readonly peer: string;
    };

/** Whether the other end of a Connection can be reached, to be shown to people. A Connection waits by itself. */
export type ConnectionStatus =
  | {
      /** The other end can be reached, as far as this client knows. */
      readonly kind: "online";
    }
  | {
      /** This client's link is lost (`offline`), or the peer's is (`away`). What is sent waits. */
      readonly kind: "offline" | "away";
      /** When this end gives up. `undefined` if its `graceMs` is Infinity. */
      readonly until: Date | undefined;
    }
  | {
      /** The Connection has ended: its `closed` tells why. */
      readonly kind: "closed";
    };

/** Calls a program's callback. An error in it is thrown later, so that other frames are still handled. */
export function tell<S>(onStatus: ((status: S) => void) | undefined, status: S): void {
  try {
    onStatus?.(status);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
