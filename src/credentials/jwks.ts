import { routerLimits } from "@messagepasser/protocol";
import { type PublicKey, publicJwk } from "./public-key.ts";

/** A key of a set, with the id by which tokens name it. */
interface SetKey extends PublicKey {
  readonly kid?: string;
}

/** The last good keys of a set, in the Worker's memory and in KV. */
interface KeySet {
  readonly version: 1;
  readonly keys: readonly SetKey[];
  /** When the keys came, in milliseconds since 1970; 0 for never. */
  readonly fetchedAtMs: number;
  /** When they were last asked for, with or without success. */
  readonly triedAtMs: number;
}

/** Which key of a set a token names. "unknown" may be known later: the set was asked for lately, or can't be had. */
export type Found = { readonly key: PublicKey } | "none" | "unknown";

/** What a look-up needs of the platform. */
export interface JwksRuntime {
  readonly kv: {
    get(key: string, type: "json"): Promise<unknown>;
    put(key: string, value: string, options: { readonly expirationTtl: number }): Promise<void>;
  };
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Has a promise go on after the answer. */
  waitUntil(promise: Promise<unknown>): void;
  /** Milliseconds since 1970. */
  now(): number;
}

const nothing: KeySet = { version: 1, keys: [], fetchedAtMs: 0, triedAtMs: 0 };

/**
 * The sets of public keys at the URLs that owners gave (JWKS, RFC 7517), by what one Worker knows of them. A set is asked
 * for at most once a minute, whatever tokens name, and tokens of a known key never wait for it.
 */
export class KeySets {
  readonly #known = new Map<string, KeySet>();

  /**
   * Finds a key.
   *
   * @param id identifies the set, also in KV
   * @param kid absent for a token that names no key: then the set must have one only
   */
  async find(
    { id, url, kid }: { readonly id: string; readonly url: string; readonly kid: string | undefined },
    runtime: JwksRuntime,
  ): Promise<Found> {
    const { setFreshMs, setLifeMs, setPauseMs } = routerLimits;
    const nowMs = runtime.now();
    if (!this.#known.has(id)) await this.#load(id, runtime);
    // Another token may have had it asked for meanwhile.
    const set = this.#known.get(id) ?? nothing;
    const mayAsk = nowMs - set.triedAtMs >= setPauseMs;
    const isGood = nowMs - set.fetchedAtMs < setLifeMs;
    const key = isGood ? keyNamed(set, kid) : undefined;
    if (key !== undefined) {
      if (mayAsk && nowMs - set.fetchedAtMs >= setFreshMs) runtime.waitUntil(this.#renew(id, url, set, runtime));
      return { key };
    }
    if (!mayAsk) return "unknown";
    const renewed = await this.#renew(id, url, set, runtime);
    if (renewed.fetchedAtMs !== renewed.triedAtMs) return "unknown";
    const found = keyNamed(renewed, kid);
    return found === undefined ? "none" : { key: found };
  }

  /** Reads what KV has: once, whatever tokens name. */
  async #load(id: string, { kv }: JwksRuntime): Promise<void> {
    // Only this class writes it.
    const stored = (await kv.get(jwksKey(id), "json").catch(() => null)) as KeySet | null;
    if (!this.#known.has(id)) this.#keep(id, stored?.version === 1 ? stored : nothing);
  }

  /** Asks for a set, and keeps the keys before if no good ones come. Never rejects. */
  async #renew(id: string, url: string, before: KeySet, runtime: JwksRuntime): Promise<KeySet> {
    const triedAtMs = runtime.now();
    // Tokens that come meanwhile don't ask again.
    this.#keep(id, { ...before, triedAtMs });
    let set = { ...before, triedAtMs };
    try {
      const keys = await fetchedKeys(url, runtime);
      set = { ...set, keys, fetchedAtMs: triedAtMs };
    } catch (error) {
      console.warn(`Cannot get the keys at ${url}`, error);
    }
    this.#keep(id, set);
    const expirationTtl = routerLimits.setLifeMs / 1_000;
    runtime.waitUntil(runtime.kv.put(jwksKey(id), JSON.stringify(set), { expirationTtl }).catch(() => undefined));
    return set;
  }

  #keep(id: string, set: KeySet): void {
    // Starts again: a simple way to forget sets that nobody asks for.
    if (this.#known.size >= routerLimits.maxRealmsWithKeys && !this.#known.has(id)) this.#known.clear();
    this.#known.set(id, set);
  }
}

function jwksKey(id: string): string {
  return `jwks:${id}`;
}

function keyNamed({ keys }: KeySet, kid: string | undefined): PublicKey | undefined {
  if (kid === undefined) return keys.length === 1 ? keys[0] : undefined;
  return keys.find((key) => key.kid === kid);
}

/** Rejects for a set that doesn't come in time, is too long, or has no key that the router can use. */
async function fetchedKeys(url: string, runtime: JwksRuntime): Promise<SetKey[]> {
  const text = await within(routerLimits.setAnswerMs, async (signal) => {
    // A redirect could lead to where the owner doesn't want to ask.
    const response = await runtime.fetch(url, { redirect: "manual", signal, headers: { accept: "application/json" } });
    if (response.status !== 200) throw new Error(`It answered ${response.status}`);
    return await shortTextOf(response);
  });
  const { keys: given } = Object(JSON.parse(text)) as { keys: unknown };
  const keys: SetKey[] = [];
  for (const each of (Array.isArray(given) ? given : []).slice(0, routerLimits.maxSetKeys)) {
    const key = await publicJwk(each);
    const { kid } = Object(each) as { kid: unknown };
    if (key !== undefined) keys.push({ ...key, ...(typeof kid === "string" && { kid }) });
  }
  if (keys.length === 0) throw new Error("It has no public key that the router can use");
  return keys;
}

async function shortTextOf({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > routerLimits.maxSetLength) throw new Error("It is too long");
  }
  return text;
}

/** The result of an action that ends, or that rejects, within a time. */
async function within<Result>(timeoutMs: number, action: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const signal = AbortSignal.timeout(timeoutMs);
  const late = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      reject(new Error(`No answer within ${timeoutMs} ms`));
    });
  });
  // A body that never ends isn't ended by the signal everywhere.
  return await Promise.race([action(signal), late]);
}
