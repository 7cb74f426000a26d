// What Cloudflare's Workers Paid plan costs, as its pages said on 2026-11-22. Prices change: look there before you trust these.

/** What something costs, in US dollars. */
export interface Price {
  readonly what: string;
  readonly usdPerMillion: number;
  /** How many a month are in the plan, for all that the account runs. */
  readonly included: number;
}

/** By what is billed. */
export const prices = {
  // https://developers.cloudflare.com/workers/platform/pricing/, 2026-11-22
  workerRequest: { what: "Workers requests", usdPerMillion: 0.3, included: 10_000_000 },
  // https://developers.cloudflare.com/durable-objects/platform/pricing/, "Compute billing", 2026-11-22
  objectRequest: { what: "Durable Object requests", usdPerMillion: 0.15, included: 1_000_000 },
  // The same page and date.
  gigabyteSecond: { what: "Duration, GB-s", usdPerMillion: 12.5, included: 400_000 },
  // https://developers.cloudflare.com/kv/platform/pricing/, 2026-11-22
  kvRead: { what: "KV reads", usdPerMillion: 0.5, included: 10_000_000 },
  // https://developers.cloudflare.com/durable-objects/platform/pricing/, "Storage billing", 2026-11-22
  rowWritten: { what: "SQLite rows written", usdPerMillion: 1, included: 50_000_000 },
} as const satisfies Record<string, Price>;

export type Billed = keyof typeof prices;

/** The plan itself, a month. https://developers.cloudflare.com/workers/platform/pricing/, 2026-11-22 */
export const planUsd = 5;

/** Incoming WebSocket messages that are one request; outgoing ones are free. The page of Durable Objects, footnote 2, 2026-11-22 */
export const messagesPerRequest = 20;

/** How shards call each other: by RPC, or over WebSockets that stay open for as long as there is much to say. */
export type Trunk = "calls" | "sockets";

/**
 * What a call and its answer are billed as. A call by RPC is a request. Over a WebSocket both are messages; whether the
 * answer to the object that has opened the WebSocket is billed isn't said, so the model bills it.
 */
export const requestsPerCall: Readonly<Record<Trunk, number>> = { calls: 1, sockets: 2 / messagesPerRequest };

/** An object is billed for 128 MB, whatever it takes. The same page, "Compute billing", 2026-11-22 */
export const objectGigabytes = 0.128;

/**
 * An object leaves memory so long after its last event.
 * https://developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle/, 2026-10-30. The page of prices says that
 * an object that could hibernate isn't billed for this time. The model bills it all the same.
 */
export const idleBeforeSleepS = 10;
