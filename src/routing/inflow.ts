import type { Account } from "./principals.ts";

/** What one principal has sent to a link, and the link has not read. */
export class Share {
  readonly by: Account;
  unreadBytes = 0;
  /** Whether the pair is being cut: nothing of the principal goes to the link any more. */
  isCut = false;
  /** The unread bytes by the number of marks that were sent before them. */
  readonly #parts: { readonly mark: number; bytes: number }[] = [];

  constructor(by: Account) {
    this.by = by;
  }

  /** Counts bytes that are sent after this many marks. */
  add(mark: number, bytes: number): void {
    const last = this.#parts.at(-1);
    if (last?.mark === mark) last.bytes += bytes;
    else this.#parts.push({ mark, bytes });
    this.unreadBytes += bytes;
    this.by.causedBytes += bytes;
  }

  /** The link has read all before the mark of this number. */
  read(mark: number): void {
    let count = 0;
    let bytes = 0;
    for (const part of this.#parts) {
      if (part.mark >= mark) break;
      count++;
      bytes += part.bytes;
    }
    this.#parts.splice(0, count);
    this.unreadBytes -= bytes;
    this.by.causedBytes -= bytes;
  }
}

/** The unread bytes of one link, by the principal that sent them. Only a link with a mark under way has unread bytes. */
export class Inflow {
  readonly #shares = new Map<Account, Share>();
  /** The share that was asked for last: often it is the next one too. */
  #latest: Share | undefined;

  of(by: Account): Share {
    if (this.#latest?.by === by) return this.#latest;
    let share = this.#shares.get(by);
    if (share === undefined) {
      share = new Share(by);
      this.#shares.set(by, share);
    }
    this.#latest = share;
    return share;
  }

  /** The link has read all before the mark of this number: the first mark is 1. */
  read(mark: number): void {
    for (const share of this.#shares.values()) {
      share.read(mark);
      if (share.unreadBytes === 0) this.#forget(share);
    }
  }

  /** The link has read everything, or its bytes are gone with its socket. */
  readAll(): void {
    this.read(Infinity);
  }

  #forget(share: Share): void {
    this.#shares.delete(share.by);
    if (this.#latest === share) this.#latest = undefined;
  }
}
