// The shapes of the admin API (ADMIN.md): what the router answers, and what `mp` reads.

/** What is known about one secret of a client. Nothing here is secret. */
export interface SecretInfo {
  /** The id inside the secret: 16 hexadecimal digits. */
  readonly secretId: string;
  readonly revision: number;
  /** ISO 8601; `null` for a secret that doesn't expire. */
  readonly expiresAt: string | null;
}

/** A client, with its newest secret. */
export interface ClientInfo extends SecretInfo {
  readonly name: string;
  /** ISO 8601. */
  readonly changedAt: string;
  /** ISO 8601, to the hour; `null` for a secret that was never used. */
  readonly lastUsedAt: string | null;
  readonly isDisabled: boolean;
  /** The secret before the newest one, while it is still valid. */
  readonly previous: SecretInfo | null;
}

/** A client with the secret that was just made for it. No later answer shows the secret again. */
export interface NewSecret extends ClientInfo {
  readonly secret: string;
}

/** In a request: when the new secret expires, and how long the one before stays valid beside it. */
export interface SecretTimes {
  /** ISO 8601. Default: never. */
  readonly expiresAt?: string;
  /** Seconds. Default: 0. */
  readonly overlapS?: number;
}

/** One page of clients in the order of their names. */
export interface ClientPage {
  readonly clients: readonly ClientInfo[];
  /** Where the next page begins; absent on the last page. */
  readonly cursor?: string;
}

/** Whether the realm's rules allow an open. */
export interface Decision {
  readonly isAllowed: boolean;
  /** The number of the line that decided, from 1; 0 where no line did. */
  readonly line: number;
}

/** One change that an administrator made. */
export interface AuditEntry {
  /** Grows with each entry. */
  readonly id: number;
  /** ISO 8601. */
  readonly at: string;
  /** Which token was used, and from which address. */
  readonly who: string;
  /** The change, as in "rotate". */
  readonly what: string;
  /** The client that was changed; empty for a change to the realm. */
  readonly name: string;
}

/** What a realm's object counts. Sums are stored in this order: add new counters at the end. */
export const usageCounters = [
  "messagesIn",
  "bytesIn",
  "messagesOut",
  "bytesOut",
  "upgrades",
  "adminCalls",
  "alarms",
  "wakes",
  "awakeMs",
  "tickets",
  "messagesAfterClose",
  "calls",
  "callMessages",
] as const;

/** What a realm has used so far. */
export interface Usage extends Readonly<Record<(typeof usageCounters)[number], number>> {
  /** When counting began, in ISO 8601. */
  readonly since: string;
  /** Milliseconds since then in which the object was not in memory, and nothing was billed for it. */
  readonly asleepMs: number;
  /** Names of clients that haven't answered the close of their link, at most 100: what they send is dropped, but billed. */
  readonly unclosed: readonly string[];
}

/** Where objects of a realm may be made, as Cloudflare calls the parts of the world. */
export const locations = [
  "wnam",
  "enam",
  "sam",
  "weur",
  "eeur",
  "apac",
  "apac-ne",
  "apac-se",
  "oc",
  "afr",
  "me",
] as const;

export type RealmLocation = (typeof locations)[number];

/** How a realm is spread over objects. */
export interface RealmLayout extends Unconfirmed {
  readonly shards: number;
  /** How many shards the realm is growing to, while it does. */
  readonly target?: number;
  /** Where new shards are made; absent for near those who ask for them first. */
  readonly location?: RealmLocation;
}

/** What signs tokens: one algorithm a key. "JWKS" is a set of public keys, each with an algorithm of its own. */
export const tokenAlgorithms = ["HS256", "ES256", "EdDSA", "RS256", "JWKS"] as const;

export type TokenAlgorithm = (typeof tokenAlgorithms)[number];

/** A key that signs tokens. Nothing here is secret. */
export interface TokenKeyInfo {
  /** Begins the names of the holders of its tokens, which are `+ID/SUBJECT`. */
  readonly id: string;
  readonly algorithm: TokenAlgorithm;
  /** Where the key is from: "made" by the router, a secret key that was "given", a "public" key, or the URL of a set. */
  readonly source: string;
  /** What a token's `aud` may be; empty for the realm's address. */
  readonly audiences: readonly string[];
  /** How many seconds a token may be valid. */
  readonly maxLifeS: number;
  /** Tokens issued before are revoked, in ISO 8601; `null` if none are. */
  readonly revokedBefore: string | null;
  /** ISO 8601. */
  readonly addedAt: string;
}

/** A key that was just added, with its secret if the router made it. No later answer shows the secret again. */
export interface NewTokenKey extends TokenKeyInfo {
  readonly secret?: string;
}

/** In the answer to a change that all shards of a realm have to know, with status 202 instead of another one. */
export interface Unconfirmed {
  /** The numbers of the shards that have not confirmed the change yet. The router tells them until they do. Absent if all have. */
  readonly unconfirmedShards?: readonly number[];
}
