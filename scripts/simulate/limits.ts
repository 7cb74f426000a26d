// What Cloudflare allows one object, as its pages said on 2026-11-22.

/** Sockets that can hibernate. https://developers.cloudflare.com/durable-objects/api/state/ */
export const maxSockets = 32_768;

/** A soft limit: past it requests wait, and then fail. https://developers.cloudflare.com/durable-objects/platform/limits/ */
export const maxEventsPerSecond = 1_000;

/** Of an isolate, in which several objects may be. The same page. */
export const maxMemoryBytes = 134_217_728;

/** An address has 10 bits for the shard, and the last number is that of the built-in peers. `mp realm shards` allows fewer. */
export const maxShards = 1_023;
