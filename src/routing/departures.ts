import { goneReasons } from "@messagepasser/protocol";
import type { Closing } from "./closings.ts";
import type { Delivery } from "./delivery.ts";
import { arePaired, type Link, type Links, linksAt } from "./link.ts";

/** Ends links: closes them, removes them, and tells the clients that they were paired with. */
export class Departures {
  readonly #links: Links;
  readonly #delivery: Delivery;
  readonly #abort: (reason: string) => void;

  /** @param abort ends the object, as `Runtime` has it */
  constructor(links: Links, delivery: Delivery, abort: (reason: string) => void) {
    this.#links = links;
    this.#delivery = delivery;
    this.#abort = abort;
  }

  /** The router ends a link. Does nothing to a link that is over. */
  drop(link: Link, reason: number, closing: Closing): void {
    if (link.memory.isOver) return;
    this.#close(link, reason, closing);
    this.dropGivenUp();
  }

  /** A link's socket is closed: frees what was held for it, and tells its peers unless they know. */
  leave(link: Link, reason: number): void {
    this.#delivery.unread.end(this.#delivery.meterOf(link));
    if (link.memory.isOver) return;
    this.#forget(link, reason);
    this.dropGivenUp();
  }

  /** Drops the links that `Delivery` has given up, and those that it gives up while their peers are told. */
  dropGivenUp(): void {
    for (let next = this.#delivery.takeGivenUp(); next !== undefined; next = this.#delivery.takeGivenUp()) {
      const { link, closing, unsentBytes } = next;
      this.#close(link, goneReasons.lost, closing);
      if (this.#delivery.unread.isExhausted(this.#delivery.meterOf(link), unsentBytes))
        this.#abort("Clients that don't read hold all the memory there is for them");
    }
  }

  #close(link: Link, reason: number, { code, reason: text, delayMs }: Closing): void {
    link.memory.isOver = true;
    this.#delivery.unread.close(this.#delivery.meterOf(link));
    this.#delivery.empty(link);
    // Before the link is removed: an open socket without a link counts as a link of another version.
    link.close(code, text, delayMs);
    this.#forget(link, reason);
  }

  #forget(link: Link, why: number): void {
    link.memory.isOver = true;
    this.#links.remove(link);
    // The session of a client that can't come back is over.
    const reason = why === goneReasons.lost && !link.resumes ? goneReasons.ended : why;
    const others = link.pairs.overflowed ? this.#links.all() : linksAt(this.#links, link.pairs);
    for (const other of others) {
      if (other === link || !arePaired(link, other)) continue;
      other.pairs.remove(link.address);
      this.#delivery.sayGone(other, link, reason);
    }
  }
}
