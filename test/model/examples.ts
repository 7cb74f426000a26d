import { longGraceMs, type Schedule, type Step } from "./steps.ts";

/** Schedules that once failed, each with what went wrong. Alice's wire is the first. */
const failedOnce: Record<string, readonly Step[]> = {
  "a link breaks while an open waits for its turn behind data": [
    { do: "open", from: 0, to: 0, protocol: "take", first: undefined },
    { do: "flow" },
    { do: "send", end: 0, size: 250_000, isText: true },
    { do: "open", from: 0, to: 0, protocol: "take", first: undefined },
    { do: "break", wire: 0, noticed: "client", survivors: 0 },
  ],
  "the answer to an open that was sent again came after the reject of the open, and was taken for malformed": [
    { do: "open", from: 0, to: 1, protocol: "wait", first: undefined },
    { do: "flow" },
    { do: "decide", end: 0, accepts: false },
    { do: "break", wire: 0, noticed: "client", survivors: 0 },
  ],
  "an opener that was superseded without a link took its name back, and what it opened again was handled again": [
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "up", wire: 0, count: 1 },
    { do: "break", wire: 0, noticed: "client", survivors: 0 },
    { do: "restart", who: 0, saysBye: false },
  ],
  "an open reached the peer's new link, was sent again to its address there, and was taken for a violation": [
    { do: "open", from: 0, to: 1, protocol: "wait", first: undefined },
    { do: "flow" },
    { do: "open", from: 1, to: 0, protocol: "take", first: undefined },
    { do: "pass", ms: 40_000, flows: false },
  ],
  "an open overtook the position, on a route of which its sender had yet to hear": [
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "up", wire: 0, count: 1 },
    { do: "break", wire: 0, noticed: "both", survivors: 0 },
    { do: "down", wire: 0, count: 2 },
    { do: "up", wire: 0, count: 1 },
    { do: "pass", ms: 600, flows: false },
    { do: "up", wire: 0, count: 1 },
    { do: "down", wire: 0, count: 1 },
    { do: "up", wire: 1, count: 1 },
    { do: "down", wire: 1, count: 2 },
    { do: "up", wire: 1, count: 2 },
    { do: "down", wire: 0, count: 2 },
    { do: "break", wire: 1, noticed: "both", survivors: 0 },
    { do: "pass", ms: 600, flows: false },
    { do: "up", wire: 1, count: 1 },
    { do: "down", wire: 1, count: 1 },
    { do: "up", wire: 1, count: 1 },
    { do: "down", wire: 1, count: 1 },
    { do: "up", wire: 1, count: 1 },
    { do: "down", wire: 0, count: 3 },
  ],
};

/** The same with several sessions of a name. */
const failedWithSessions: Record<string, readonly Step[]> = {
  "an open that was sent again got to a second session, which was never told that the first one had answered it": [
    { do: "break", wire: 0, noticed: "client", survivors: 0 },
    { do: "pass", ms: 600, flows: false },
    { do: "open", from: 0, to: 0, protocol: "take", aim: "any", at: 0, first: undefined },
    { do: "up", wire: 0, count: 1 },
    { do: "down", wire: 459, count: 1 },
    { do: "break", wire: 0, noticed: "client", survivors: 2 },
    { do: "join", who: 0, instance: "", says: "all" },
    { do: "up", wire: 339, count: 1 },
    { do: "join", who: 0, instance: "", says: "all" },
    { do: "pass", ms: 3_000, flows: false },
    { do: "up", wire: 0, count: 1 },
    { do: "up", wire: 0, count: 1 },
    { do: "stall", wire: 0 },
    { do: "pass", ms: 5_000, flows: true },
  ],
  "an open that was refused once and given up before its turn came again was kept for ever": [
    { do: "join", who: 0, instance: "two", says: "none" },
    { do: "flow" },
    { do: "open", from: 1, to: 0, protocol: "take", aim: "any", at: 0, first: undefined },
    { do: "pass", ms: 11_000, flows: false },
    { do: "open", from: 0, to: 0, protocol: "take", aim: "instance", at: 45, first: undefined },
    { do: "break", wire: 1, noticed: "client", survivors: 0 },
    { do: "flow" },
    { do: "giveUp", open: 0 },
    { do: "break", wire: 0, noticed: "router", survivors: 0 },
    { do: "open", from: 0, to: 0, protocol: "take", aim: "any", at: 0, first: 250_000 },
  ],
  "the judge wanted an abort where an end had heard before that another session got the open": [
    { do: "join", who: 0, instance: "", says: "all" },
    { do: "pass", ms: 1, flows: true },
    { do: "open", from: 0, to: 0, protocol: "take", aim: "any", first: undefined },
    { do: "break", wire: 0, noticed: "client", survivors: 1 },
    { do: "join", who: 0, instance: "", says: "all" },
    { do: "pass", ms: 1_100, flows: true },
    { do: "abort", end: 0 },
  ],
  "an open that a peer had got was refused, since only a session of another protocol was back": [
    { do: "join", who: 1, instance: "", says: "none" },
    { do: "flow" },
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "up", wire: 0, count: 1 },
    { do: "down", wire: 1, count: 1 },
    { do: "break", wire: 1, noticed: "both", survivors: 0 },
    { do: "break", wire: 0, noticed: "both", survivors: 0 },
    { do: "pass", ms: 600, flows: false },
    { do: "up", wire: 0, count: 1 },
    { do: "down", wire: 0, count: 1 },
    { do: "up", wire: 0, count: 5 },
    { do: "down", wire: 0, count: 2 },
    { do: "pass", ms: 100, flows: false },
    { do: "up", wire: 0, count: 2 },
    { do: "down", wire: 0, count: 2 },
  ],
  "an open that was sent again to another session went to the first one once more": [
    { do: "open", from: 0, to: 1, protocol: "wait", first: undefined },
    { do: "up", wire: 0, count: 1 },
    { do: "down", wire: 1, count: 1 },
    { do: "break", wire: 0, noticed: "client", survivors: 0 },
    { do: "join", who: 1, instance: "two", says: "all" },
    { do: "pass", ms: 1_100, flows: true },
    { do: "pass", ms: 3_000, flows: true },
  ],
  "an open that crossed the end of a handler was refused, though another session had one": [
    { do: "join", who: 1, instance: "", says: "all" },
    { do: "flow" },
    { do: "unhandle", who: 2, protocol: "take" },
    { do: "open", from: 0, to: 1, protocol: "take", first: 20 },
    { do: "up", wire: 0, count: 1 },
  ],
};

/** The same with two objects. */
const failedOverShards: Record<string, readonly Step[]> = {
  "an object slept while an open had no answer, which another one never gave since it was reset": [
    { do: "flow" },
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "up", wire: 0, count: 5 },
    { do: "call", call: 0, fate: "done" },
    { do: "kill", survivors: 0, shard: 1 },
    { do: "sleep", shard: 0 },
  ],
  "an open that had arrived was sent again, and refused since the two objects could not reach each other": [
    { do: "flow" },
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "up", wire: 0, count: 1 },
    { do: "call", call: 0, fate: "done" },
    { do: "deploy", survivors: 0, shard: 0 },
    { do: "pass", ms: 11_000, flows: true },
  ],
};

/** Schedules that find a mutation at once for which random ones take hundreds of tries. */
const findsMutation: Record<string, readonly Step[]> = {
  "the opener's link breaks while its open is under way, and again at the router": [
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "break", wire: 0, noticed: "client", survivors: 1 },
    { do: "flow" },
    { do: "break", wire: 0, noticed: "router", survivors: 0 },
  ],
  "both ends of an open that waits lose their links, the opener twice": [
    { do: "open", from: 0, to: 1, protocol: "wait", first: undefined },
    { do: "flow" },
    { do: "break", wire: 1, noticed: "client", survivors: 0 },
    { do: "pass", ms: 1, flows: false },
    { do: "break", wire: 0, noticed: "client", survivors: 0 },
    { do: "break", wire: 0, noticed: "client", survivors: 0 },
    { do: "pass", ms: 11_000, flows: false },
  ],
  "the router notices a broken link, and its client does much later": [
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "pass", ms: 1, flows: true },
    { do: "break", wire: 0, noticed: "router", survivors: 0 },
    { do: "down", wire: 0, count: 1 },
    { do: "pass", ms: 40_000, flows: false },
  ],
  "the router dies after a Connection to oneself is closed": [
    { do: "open", from: 0, to: 0, protocol: "take", first: undefined },
    { do: "flow" },
    { do: "close", end: 0 },
    { do: "kill", survivors: 0 },
  ],
  "the newest session has gone without a word, and another one is heard of": [
    { do: "join", who: 1, instance: "two", says: "nothing" },
    { do: "flow" },
    { do: "vanish", who: 2 },
    { do: "pass", ms: 40_000, flows: true },
    { do: "pass", ms: 40_000, flows: true },
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
  ],
  "two sessions stop handling a protocol that another one still handles": [
    { do: "join", who: 1, instance: "two", says: "all" },
    { do: "join", who: 1, instance: "", says: "all" },
    { do: "flow" },
    { do: "unhandle", who: 2, protocol: "take" },
    { do: "unhandle", who: 3, protocol: "take" },
    { do: "flow" },
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
  ],
  "an open is given up while the acceptor's link is broken": [
    { do: "break", wire: 1, noticed: "client", survivors: 0 },
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "giveUp", open: 0 },
  ],
};

/** A call is made again and again in vain, until its trunk breaks. */
const lostCalls: readonly Step[] = [100, 100, 600, 600, 1_100, 3_000, 5_000].flatMap((ms): Step[] => [
  { do: "pass", ms, flows: false },
  { do: "call", call: 0, fate: "lost" },
]);

/** The same with two objects. */
const findsMutationOverShards: Record<string, readonly Step[]> = {
  "a trunk breaks while a message is under way": [
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "flow" },
    { do: "send", end: 0, size: 20, isText: true },
    { do: "up", wire: 0, count: 5 },
    { do: "call", call: 0, fate: "lost" },
    ...lostCalls,
  ],
  "a trunk breaks after an open has arrived": [
    { do: "flow" },
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "up", wire: 0, count: 5 },
    { do: "call", call: 0, fate: "unheard" },
    { do: "call", call: 0, fate: "lost" },
    // What the other object answers is lost as often.
    ...lostCalls.flatMap((step): Step[] => (step.do === "call" ? [step, step] : [step])),
  ],
  "a client opens just after a trunk has broken": [
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "flow" },
    { do: "send", end: 0, size: 20, isText: true },
    { do: "up", wire: 0, count: 5 },
    { do: "call", call: 0, fate: "lost" },
    ...lostCalls,
    { do: "open", from: 0, to: 1, protocol: "take", first: undefined },
    { do: "up", wire: 0, count: 5 },
  ],
};

const all = { ...failedOnce, ...failedWithSessions, ...findsMutation };

const start = { names: 2, says: "nothing", graceMs: longGraceMs, seed: 0 } as const;

export const examples: readonly (readonly [why: string, Schedule])[] = [
  ...Object.entries(all).map(([why, steps]) => [why, { ...start, steps }] as const),
  ...Object.entries({ ...failedOverShards, ...findsMutationOverShards }).map(
    ([why, steps]) => [why, { ...start, shards: 2, steps }] as const,
  ),
];
