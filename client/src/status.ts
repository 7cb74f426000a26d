import type { LinkError } from "./errors.ts";

/** What happened to the client's link or to a peer's, to be shown to people. The client reconnects by itself. */
export type Status =
  | {
      /** The link is lost, or another attempt to connect has failed. */
      readonly kind: "offline";
      /** Why. */
      readonly error: LinkError;
      /** In how many milliseconds the client tries again. */
      readonly retryInMs: number;
    }
  | {
      /** The link is back. */
      readonly kind: "online";
    }
  | {
      /** A peer that was unreachable is back, and the Connections with it continue. */
      readonly kind: "resumed";
      /** The peer's name. */
      readonly peer: string;
    };
