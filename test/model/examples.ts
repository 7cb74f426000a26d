import { longGraceMs } from "./run.ts";
import type { Schedule, Step } from "./steps.ts";

/** Schedules that once failed, each with what went wrong. Alice's wire is the first. */
const failedOnce: Record<string, readonly Step[]> = {
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

export const examples: readonly (readonly [why: string, Schedule])[] = Object.entries(failedOnce).map(
  ([why, steps]) => [why, { names: 2, graceMs: longGraceMs, seed: 0, steps }],
);
