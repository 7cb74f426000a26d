import { million, workloadOf } from "../simulate/scenario.ts";
import { hoursPerMonth, type Workload } from "./model.ts";

/** A workload that somebody may have. */
interface Typical {
  readonly what: string;
  readonly workload: Workload;
}

/** What isn't said otherwise: connected all month, a new link once a day, over a slow line, to one object. */
export const usual = {
  hoursConnected: hoursPerMonth,
  connects: 30,
  lineMbit: 10,
  shards: 1,
  crossing: 0,
  trunk: "calls",
} as const;

/** The table of docs/cost.md. */
export const typicalWorkloads: readonly Typical[] = [
  {
    what: "2 clients, a million messages of 64 B in one stream",
    workload: { ...usual, clients: 2, messages: 1_000_000, sizeBytes: 64, burst: 1_000_000 },
  },
  {
    what: "1,000 clients that stay connected and are idle",
    workload: { ...usual, clients: 1_000, messages: 0, sizeBytes: 64, burst: 1, connects: 1 },
  },
  {
    what: "2 clients, a message of 200 B a minute",
    workload: { ...usual, clients: 2, messages: 43_200, sizeBytes: 200, burst: 1 },
  },
  {
    what: "10 clients, 100 GB in files of 100 MB",
    workload: { ...usual, clients: 10, messages: 6_103_516, sizeBytes: 16_384, burst: 6_104, lineMbit: 100 },
  },
  {
    what: "1,000 clients, each 1,000 messages of 256 B a day, in tens",
    workload: { ...usual, clients: 1_000, messages: 30_000_000, sizeBytes: 256, burst: 10 },
  },
  {
    what: "20 clients, a billion messages of 64 B in streams of a million",
    workload: { ...usual, clients: 20, messages: 1_000_000_000, sizeBytes: 64, burst: 1_000_000, lineMbit: 100 },
  },
  {
    what: "100,000 clients that stay connected and are idle, over 4 shards",
    workload: { ...usual, clients: 100_000, messages: 0, sizeBytes: 64, burst: 1, connects: 1, shards: 4 },
  },
  {
    what: "the million clients of the simulation, over 64 shards by calls",
    workload: { ...usual, ...workloadOf(million), trunk: "calls" },
  },
  {
    what: "the same, by WebSockets between the shards",
    workload: { ...usual, ...workloadOf(million), trunk: "sockets" },
  },
];
