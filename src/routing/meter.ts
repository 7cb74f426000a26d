import { routerLimits } from "@messagepasser/protocol";
import { ClockTurn } from "./clock-turn.ts";
import { Inflow } from "./inflow.ts";
import { Pace } from "./pace.ts";
import type { Account } from "./principals.ts";

/** How much the router may still hold in memory of what it sent to one link. Only `UnreadLimiter` changes it. */
export class Meter {
  /** The account of the link's principal. */
  readonly account: Account;
  /** Bytes after the last mark that was reached, while another mark is under way; otherwise 0. */
  heldBytes = 0;
  /** Bytes after the last mark that was sent. Part of `heldBytes` only while a mark is under way. */
  unmarkedBytes = 0;
  /** Marks that the client has not reached, the oldest first. */
  readonly marks: Mark[] = [];
  unknownTokens = 0;
  /** How many marks were sent. */
  markCount = 0;
  /** The budget that the client was last told. The next one is at most twice that, so the first one `firstBudgetBytes`. */
  budgetBytes = routerLimits.firstBudgetBytes / 2;
  /** The budget in the last mark that the client has reached: the one that it is sure to know. */
  knownBudgetBytes = routerLimits.firstBudgetBytes / 2;
  /** The most that peers of a client which keeps to its budgets can have under way to it: larger ones are used up first. */
  allowanceBytes = 0;
  readonly pace = new Pace();
  readonly clock = new ClockTurn();
  /** The unread bytes, by who sent them. */
  readonly inflow = new Inflow();
  /** When the link last became busy or answered a mark, in milliseconds since 1970. */
  progressMs = 0;
  /** The link's bytes stay in memory until its socket is gone, though the router has closed it. */
  state: "live" | "closing" | "gone" = "live";

  constructor(account: Account) {
    this.account = account;
  }
}

export interface Mark {
  readonly token: number;
  /** Bytes since the mark before, this mark included. */
  readonly bytes: number;
  /** 1 for the first mark of the link. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly sentAtMs: number;
  /** The budget that it tells the client. */
  budgetBytes: number;
}
