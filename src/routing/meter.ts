import type { Account } from "./principals.ts";

/** How much the router may still hold in memory of what it sent to one link. Only `UnreadLimiter` changes it. */
export class Meter {
  /** Whose link it is. */
  readonly account: Account;
  /** Bytes after the last mark that was reached, while another mark is under way; otherwise 0. */
  heldBytes = 0;
  /** Bytes after the last mark that was sent. Part of `heldBytes` only while a mark is under way. */
  unmarkedBytes = 0;
  /** Marks that the client has not reached, the oldest first. */
  readonly marks: Mark[] = [];
  unknownTokens = 0;
  /** The budget that the client was last told. */
  budgetBytes = Infinity;
  /** Whether no mark was sent yet. */
  isNew = true;
  /** When the link last became busy or answered a mark, in milliseconds since 1970. */
  progressMs = 0;
  /** The link's bytes stay in memory until its socket is gone, though the router has closed it. */
  state: "live" | "closing" | "gone" = "live";

  constructor(account: Account) {
    this.account = account;
  }
}

interface Mark {
  readonly token: number;
  /** Bytes since the mark before, this mark included. */
  readonly bytes: number;
}
