// A process with some clients of the soak. Started by clients.ts, which it talks with.
import type { ClientsStart, FailureKind, FromClients, ToClients } from "./calls.ts";
import { SoakClient } from "./soak-client.ts";
import type { StreamEnd } from "./stream-end.ts";

const countsEveryMs = 500;
/** A stream that has not moved for so long, though no faults come any more, is stuck. */
const stuckAfterMs = 60_000;

const clients = new Map<string, SoakClient>();
const unfinished = new Set<StreamEnd>();
const stuck = new Set<StreamEnd>();
const counts = { messages: 0, bytes: 0, reopened: 0, resumed: 0 };
let drainsSinceMs = Number.POSITIVE_INFINITY;
let epochMs = Date.now();

async function start({ seed, names, clients: dials, streamsAtOnce, ...rest }: ClientsStart): Promise<void> {
  epochMs = rest.epochMs;
  const events = {
    seed,
    names,
    epochMs,
    isHurrying: () => drainsSinceMs <= Date.now(),
    onMessage: (bytes: number) => {
      counts.messages++;
      counts.bytes += bytes;
    },
    onBegin: (end: StreamEnd) => void unfinished.add(end),
    onFinish: (end: StreamEnd) => {
      unfinished.delete(end);
      tell({ kind: "finished", stream: end.plan.id, role: end.role });
    },
    onHandled: (by: SoakClient, stream: string, attempt: number) => {
      tell({ kind: "handled", stream, attempt, by: by.name });
    },
    onReopen: () => void counts.reopened++,
    onResumed: () => void counts.resumed++,
    onFailure: report,
    onClientFailure: ({ name, journal }: SoakClient, detail: string) => {
      tell({
        kind: "failure",
        failure: {
          what: "lost",
          count: 1,
          atMs: journal.atMs,
          where: name,
          clients: [name],
          detail,
          events: journal.lines(),
        },
      });
    },
  };
  await Promise.all(
    dials.map(async (dial) => {
      clients.set(dial.name, await SoakClient.connect(dial, events));
    }),
  );
  tell({ kind: "ready" });
  for (const client of clients.values()) for (let slot = 0; slot < streamsAtOnce; slot++) void client.openAll(slot);
  setInterval(() => {
    tell({ kind: "counts", counts: { ...counts, open: unfinished.size } });
    findStuck();
  }, countsEveryMs);
}

function findStuck(): void {
  for (const end of unfinished) {
    const sinceMs = Math.max(end.lastProgressMs, drainsSinceMs);
    if (Date.now() - sinceMs >= stuckAfterMs)
      reportStuck(end, `nothing moved for ${stuckAfterMs / 1_000} s without faults`);
  }
}

function reportStuck(end: StreamEnd, why: string): void {
  if (stuck.has(end)) return;
  stuck.add(end);
  report(end, "stuck", 1, `${why}: ${end.state}`);
}

function report(end: StreamEnd, what: FailureKind, count: number, detail: string): void {
  const { opener, acceptor } = end.plan;
  const link = clients.get(end.role === "opener" ? opener : acceptor)?.journal.lines() ?? [];
  const events = [...end.journal.lines(), ...link.map((line) => `${line} (link)`)];
  const atMs = end.journal.atMs;
  tell({
    kind: "failure",
    failure: { what, count, atMs, where: end.where, clients: [opener, acceptor], detail, events },
  });
}

async function stop(): Promise<void> {
  for (const end of unfinished) reportStuck(end, "unfinished when the run ended");
  await Promise.all(Array.from(clients.values(), (client) => client.close()));
  tell({ kind: "counts", counts: { ...counts, open: unfinished.size } });
  tell({ kind: "stopped" });
}

function tell(message: FromClients): void {
  process.send?.(message);
}

// Only clients.ts writes to this channel.
process.on("message", (message: ToClients) => {
  switch (message.kind) {
    case "start":
      void start(message.start);
      break;
    case "drain":
      drainsSinceMs = Date.now();
      break;
    case "stop":
      void stop();
      break;
  }
});
// The process that started this one is gone, or done with it.
process.on("disconnect", () => process.exit(0));
// At a terminal Ctrl+C reaches all processes; the soak itself decides what it means.
process.on("SIGINT", () => undefined);
