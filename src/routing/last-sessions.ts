import { routerLimits } from "@messagepasser/protocol";
import type { Link } from "./link.ts";

/** The last link of a session or an instance, which is gone. */
export interface Last {
  readonly session: string;
  /** When the session began, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly grant: Link["grant"];
  readonly token: Link["token"];
  /** Addresses of links that were told that it was lost, and may wait for it. */
  readonly waiting: readonly number[];
  /** What its peers may still have under way to it, as `Meter.allowanceBytes` says: they keep their credit. */
  readonly allowanceBytes: number;
}

/** What tells sessions apart here. */
type Holder = Pick<Link, "label" | "instance" | "session">;

/**
 * Which session last had an instance, so that clients that wait for an earlier session are told that it won't come back.
 * Sessions without an instance are remembered each by itself. In memory only, and not many: a client that waits asks every
 * few seconds, which keeps the object awake, and gives up in the end.
 */
export class LastSessions {
  readonly #byKey = new Map<string, Last>();

  /** A link is gone. @param waiting addresses of those that were told it was lost */
  note(link: Link, waiting: readonly number[]): void {
    const { session, sinceMs, grant, token, memory } = link;
    const key = keyOf(link);
    this.#byKey.delete(key);
    if (this.#byKey.size >= routerLimits.maxLastSessions) {
      const [oldest] = this.#byKey.keys();
      if (oldest !== undefined) this.#byKey.delete(oldest);
    }
    const allowanceBytes = memory.meter?.allowanceBytes ?? 0;
    this.#byKey.set(key, {
      session,
      sinceMs,
      grant,
      token,
      waiting: waiting.slice(0, routerLimits.maxWaitingPeers),
      allowanceBytes,
    });
  }

  /** Which session last had the instance in a label, if none has it now, as far as is known. */
  ofLabel(label: string): Last | undefined {
    return this.#byKey.get(label);
  }

  /** A link has joined. @returns who had its session or instance before */
  take(link: Holder): Last | undefined {
    const key = keyOf(link);
    const last = this.#byKey.get(key);
    this.#byKey.delete(key);
    return last;
  }
}

/** A label with an instance; or a name and a session, with a character in between that no name has. */
function keyOf({ label, instance, session }: Holder): string {
  return instance === "" ? `${label}\n${session}` : label;
}
