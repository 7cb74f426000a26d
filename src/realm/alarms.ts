import { routerLimits } from "@messagepasser/protocol";
import type { KvCopier } from "../credentials/kv-records.ts";

/** Where the number of failed attempts to write to KV is stored. */
const attemptsKey = "kvAttempts";

/** When the realm's object wakes by itself: to copy to KV what KV did not take, and when something expires. */
export class Alarms {
  readonly #storage: DurableObjectStorage;
  readonly #copier: KvCopier;
  readonly #nextExpiryMs: () => number | undefined;

  /** @param nextExpiryMs when the next secret, invitation or token expires, in milliseconds since 1970 */
  constructor(storage: DurableObjectStorage, copier: KvCopier, nextExpiryMs: () => number | undefined) {
    this.#storage = storage;
    this.#copier = copier;
    this.#nextExpiryMs = nextExpiryMs;
  }

  /** Copies a client's last change to KV, or those of tokens and their keys. Where KV fails, an alarm tries again. */
  async copyToKv(name?: string): Promise<void> {
    // The storage commits the alarm together with the change, so KV gets it even if the object stops in between.
    void this.#storage.setAlarm(Date.now() + routerLimits.firstKvRetryMs);
    this.#storage.kv.delete(attemptsKey);
    try {
      await this.#copier.copy(name);
      if (!this.#copier.isBehind) await this.#setToExpiry();
    } catch (error) {
      console.warn("Cannot write a credential to KV: the alarm tries again", error);
    }
  }

  /** An alarm went off: copies to KV what it lacks, and sets the next alarm. */
  async advance(): Promise<void> {
    const isCopied = await this.#copier.copyPending();
    if (isCopied && !this.#copier.isBehind) {
      await this.#setToExpiry();
      return;
    }
    const attempts = isCopied ? 0 : (this.#storage.kv.get<number>(attemptsKey) ?? 0) + 1;
    this.#storage.kv.put(attemptsKey, attempts);
    const delayMs = Math.min(routerLimits.maxKvRetryMs, routerLimits.firstKvRetryMs * 2 ** attempts);
    await this.#storage.setAlarm(Date.now() + delayMs);
    const expiryMs = this.#nextExpiryMs();
    if (expiryMs !== undefined) await this.wakeBy(expiryMs);
  }

  /** Makes the next alarm go off at a time, in milliseconds since 1970, unless it goes off earlier anyway. */
  async wakeBy(atMs: number): Promise<void> {
    const knownMs = await this.#storage.getAlarm();
    const wakeMs = soonerThanLimit(atMs);
    if (knownMs === null || knownMs > wakeMs) await this.#storage.setAlarm(wakeMs);
  }

  async #setToExpiry(): Promise<void> {
    const expiryMs = this.#nextExpiryMs();
    if (expiryMs === undefined) await this.#storage.deleteAlarm();
    else await this.#storage.setAlarm(soonerThanLimit(expiryMs));
  }
}

function soonerThanLimit(atMs: number): number {
  return Math.min(atMs, Date.now() + routerLimits.maxAlarmDelayMs);
}
