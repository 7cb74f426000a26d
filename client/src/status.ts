import type { LinkError } from "./errors.ts";

/** What has become of a client's link, or of a peer's, for an interface to show. The client acts on it by itself. */
export type Status =
  /** The link is lost, or another attempt has failed: why, and in how many milliseconds the router is dialled again. */
  | { readonly kind: "offline"; readonly error: LinkError; readonly retryInMs: number }
  /** There is a link again. */
  | { readonly kind: "online" }
  /** A peer that could not be reached is there again, and Connections with it go on. */
  | { readonly kind: "resumed"; readonly peer: string };
