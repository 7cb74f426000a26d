import { clientLimits } from "@messagepasser/protocol";
import type { LinkError } from "../errors.ts";
import { backoffMs, spreadMs } from "./backoff.ts";
import type { Clock } from "./platform.ts";

/** What a client wants of its attempts. */
interface RedialStart {
  /** Whether the first attempt is retried like a later one. */
  readonly retriesFirst: boolean;
  /** Whether each attempt has a secret of its own. */
  readonly hasFreshSecrets: boolean;
}

/** Whether and when to dial again, after an attempt that failed or a lost link. */
export class Redial {
  /** Whether the router has ever let the client in. */
  hasBeenIn = false;
  /** Whether a peer was heard on this link. A plain field, since each segment sets it. */
  hasMoved = false;
  readonly #clock: Clock;
  readonly #start: RedialStart;
  #attempt = 0;
  /** Whether the router has refused a secret since it last let the client in. */
  #wasRefused = false;
  /** `undefined` where the router has let nobody in since the last pause. */
  #onlineSinceMs: number | undefined;

  constructor(clock: Clock, start: RedialStart) {
    this.#clock = clock;
    this.#start = start;
  }

  /** The router has let the client in. */
  online(): void {
    this.hasBeenIn = true;
    this.#wasRefused = false;
    this.#onlineSinceMs = this.#clock.now();
    this.hasMoved = false;
  }

  /**
   * The pause before the next attempt, in milliseconds: short again after a link that was of use, which is one that lasted
   * or on which something moved. `undefined` if no attempt is to follow.
   *
   * @param error why the attempt failed or the link was lost.
   * @param askedMs the time over which the router asked clients to spread their attempts.
   */
  pauseMs(error: LinkError, askedMs = 0): number | undefined {
    const mayHelp = error.shouldRetry() && (this.hasBeenIn || this.#start.retriesFirst);
    if (!mayHelp && !this.#replaces(error)) return undefined;
    const { now, random } = this.#clock;
    const sinceMs = this.#onlineSinceMs;
    if (sinceMs !== undefined && (this.hasMoved || now() - sinceMs >= clientLimits.goodLinkMs)) this.#attempt = 0;
    this.#onlineSinceMs = undefined;
    return backoffMs(this.#attempt++, random()) + spreadMs(askedMs, random());
  }

  /** Whether another secret may do. The second one that is refused in a row shows that age is not the reason. */
  #replaces({ code }: LinkError): boolean {
    if (!this.#start.hasFreshSecrets) return false;
    if (code === "revoked") return true;
    if (code !== "unauthorized" || this.#wasRefused) return false;
    this.#wasRefused = true;
    return true;
  }
}
