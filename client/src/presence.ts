/** A session that is connected: one call of `connect`, until its client ends. A client's name may have many. */
export interface PeerSession {
  /** The client's name. */
  readonly name: string;
  /** The session's id: 32 hexadecimal digits. It stays the same while its program runs, over all its links. */
  readonly session: string;
  /** The instance of the session; empty for none. */
  readonly instance: string;
  /** The protocols that the session serves, in which `*` stands for any characters. */
  readonly services: readonly string[];
  /** When the session began, in milliseconds since 1970, by the router's clock. */
  readonly sinceMs: number;
}

/** A change that `Client.watch` yields. */
export interface PeerChange extends PeerSession {
  /**
   * - `here`: the session is connected, since before the watch or from now on.
   * - `changed`: the session serves something else now.
   * - `gone`: the session is no longer connected, or the rules no longer let this client see it. The other fields are those
   *   from before.
   */
  readonly kind: "here" | "changed" | "gone";
}
