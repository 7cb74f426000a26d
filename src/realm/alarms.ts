import { routerLimits } from "@messagepasser/protocol";

/** Copies of what the object stores, in KV or in other shards. */
interface Copies {
  /** Whether they lack a change. */
  readonly isBehind: boolean;
  /** Brings some of what they lack. @returns false if that failed */
  copyPending(): Promise<boolean>;
}

/** All copies, by the names of the rows with the numbers of failed attempts. */
interface AllCopies {
  readonly kvAttempts: Copies & { copy(name?: string): Promise<void> };
  readonly shardAttempts: Copies & { tellAll(): Promise<number[]> };
}

/** The most milliseconds between two attempts. */
const maxRetryMs = { kvAttempts: routerLimits.maxKvRetryMs, shardAttempts: routerLimits.maxShardRetryMs };

/** When the realm's object wakes by itself: to bring to KV and to other shards what they lack, and when something expires. */
export class Alarms {
  readonly #storage: DurableObjectStorage;
  readonly #copies: AllCopies;
  readonly #nextExpiryMs: () => number | undefined;

  /** @param nextExpiryMs when the next secret, invitation or token expires, in milliseconds since 1970 */
  constructor(storage: DurableObjectStorage, copies: AllCopies, nextExpiryMs: () => number | undefined) {
    this.#storage = storage;
    this.#copies = copies;
    this.#nextExpiryMs = nextExpiryMs;
  }

  /** Copies a client's last change to KV, or those of tokens and their keys. Where KV fails, an alarm tries again. */
  async copyToKv(name?: string): Promise<void> {
    this.#retrySoon("kvAttempts");
    try {
      await this.#copies.kvAttempts.copy(name);
      await this.#setToExpiry();
    } catch (error) {
      console.warn("Cannot write a credential to KV: the alarm tries again", error);
    }
  }

  /** Tells other shards what they lack. @returns those that have not confirmed it in time: an alarm tells them again */
  async tellShards(): Promise<number[]> {
    if (!this.#copies.shardAttempts.isBehind) return [];
    this.#retrySoon("shardAttempts");
    const unconfirmed = await this.#copies.shardAttempts.tellAll();
    await this.#setToExpiry();
    return unconfirmed;
  }

  /** The storage commits the alarm together with the change, so all copies get the change even if the object stops in between. */
  #retrySoon(attempts: keyof AllCopies): void {
    void this.#storage.setAlarm(Date.now() + routerLimits.firstCopyRetryMs);
    this.#storage.kv.delete(attempts);
  }

  /** An alarm went off: brings to all copies what they lack, and sets the next alarm. */
  async advance(): Promise<void> {
    const delaysMs = await Promise.all([this.#retry("kvAttempts"), this.#retry("shardAttempts")]);
    const delayMs = Math.min(...delaysMs);
    if (delayMs === Infinity) {
      await this.#setToExpiry();
      return;
    }
    await this.#storage.setAlarm(Date.now() + delayMs);
    const expiryMs = this.#nextExpiryMs();
    if (expiryMs !== undefined) await this.wakeBy(expiryMs);
  }

  /** @returns in how many milliseconds to try again; `Infinity` if nothing is left to do */
  async #retry(attempts: keyof AllCopies): Promise<number> {
    const copies = this.#copies[attempts];
    const isCopied = await copies.copyPending();
    if (isCopied && !copies.isBehind) return Infinity;
    const failures = isCopied ? 0 : (this.#storage.kv.get<number>(attempts) ?? 0) + 1;
    this.#storage.kv.put(attempts, failures);
    return Math.min(maxRetryMs[attempts], routerLimits.firstCopyRetryMs * 2 ** failures);
  }

  /** Makes the next alarm go off at a time, in milliseconds since 1970, unless it goes off earlier anyway. */
  async wakeBy(atMs: number): Promise<void> {
    const knownMs = await this.#storage.getAlarm();
    const wakeMs = soonerThanLimit(atMs);
    if (knownMs === null || knownMs > wakeMs) await this.#storage.setAlarm(wakeMs);
  }

  /** Unless copies lack something still: then an alarm is set already. */
  async #setToExpiry(): Promise<void> {
    if (Object.values(this.#copies).some(({ isBehind }: Copies) => isBehind)) return;
    const expiryMs = this.#nextExpiryMs();
    if (expiryMs === undefined) await this.#storage.deleteAlarm();
    else await this.#storage.setAlarm(soonerThanLimit(expiryMs));
  }
}

function soonerThanLimit(atMs: number): number {
  return Math.min(atMs, Date.now() + routerLimits.maxAlarmDelayMs);
}
