import { routerLimits } from "@messagepasser/protocol";
import type { Link } from "./link.ts";

/** The link that last held a name, and is gone. */
export interface Last {
  readonly session: string;
  readonly grant: Link["grant"];
  readonly token: Link["token"];
  /** Addresses of links that were told that it was lost, and may wait for it. */
  readonly waiting: readonly number[];
  /** What its peers may still have under way to it, as `Meter.allowanceBytes` says: they keep their credit. */
  readonly allowanceBytes: number;
}

/**
 * Which session last held a name, so that whoever waits for an earlier one is told that it won't come back. In memory only,
 * and of few names: a client that waits asks every few seconds, so the object doesn't sleep, and gives up in the end.
 */
export class LastSessions {
  readonly #byName = new Map<string, Last>();

  /** A link is gone. @param waiting addresses of those that were told it was lost */
  note({ name, session, grant, token, memory }: Link, waiting: readonly number[]): void {
    this.#byName.delete(name);
    if (this.#byName.size >= routerLimits.maxLastSessions) {
      const [oldest] = this.#byName.keys();
      if (oldest !== undefined) this.#byName.delete(oldest);
    }
    const allowanceBytes = memory.meter?.allowanceBytes ?? 0;
    this.#byName.set(name, {
      session,
      grant,
      token,
      waiting: waiting.slice(0, routerLimits.maxWaitingPeers),
      allowanceBytes,
    });
  }

  /** Who last held a name that nobody holds now, as far as it is known. */
  of(name: string): Last | undefined {
    return this.#byName.get(name);
  }

  /** A link holds the name again. @returns who held it before */
  take(name: string): Last | undefined {
    const last = this.#byName.get(name);
    this.#byName.delete(name);
    return last;
  }
}
