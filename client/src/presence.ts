/** A session of a client that is connected: what one program runs. */
export interface PeerSession {
  /** The client's name. */
  readonly name: string;
  /** The session's id: 32 hexadecimal digits. It stays the same while its program runs, over all its links. */
  readonly session: string;
  /** What the program calls this session of its own; empty without. */
  readonly instance: string;
  /** The protocols that the session serves, in which `*` stands for any characters. */
  readonly services: readonly string[];
  /** Since when it is connected, in milliseconds since 1970, by the router's clock. */
  readonly sinceMs: number;
}

/** What `Client.watch` tells of a session. */
export interface PeerChange extends PeerSession {
  /**
   * - `here`: the session is connected, since before the watch or from now on.
   * - `changed`: it serves something else now.
   * - `gone`: it is no longer connected, or this client may no longer know of it. The other fields are those of before.
   */
  readonly kind: "here" | "changed" | "gone";
}
