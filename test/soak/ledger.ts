import type { ClientCounts, Failure, FailureKind, FromClients } from "./calls.ts";
import { openerOf, type Role } from "./plan.ts";

type Report<Kind extends FromClients["kind"]> = Omit<Extract<FromClients, { kind: Kind }>, "kind">;

/** The soak's knowledge of a stream: what its ends can't know of each other. */
interface StreamEntry {
  /** At which attempts to open it its handler ran. */
  readonly handled: number[];
  readonly finished: Set<Role>;
}

/** The books of the whole run. */
export class Ledger {
  readonly #epochMs: number;
  readonly #onFailure: (failure: Failure) => void;
  readonly #streams = new Map<string, StreamEntry>();
  readonly #counts = new Map<number, ClientCounts>();
  readonly #failures: Failure[] = [];
  readonly #totals: Record<FailureKind, number> = { lost: 0, duplicated: 0, reordered: 0, stuck: 0 };

  constructor(epochMs: number, onFailure: (failure: Failure) => void) {
    this.#epochMs = epochMs;
    this.#onFailure = onFailure;
  }

  get totals(): Readonly<Record<FailureKind, number>> {
    return this.#totals;
  }

  /** Of all client processes together. */
  get counts(): ClientCounts {
    const sum = { messages: 0, bytes: 0, open: 0, reopened: 0, resumed: 0 };
    for (const counts of this.#counts.values()) {
      sum.messages += counts.messages;
      sum.bytes += counts.bytes;
      sum.open += counts.open;
      sum.reopened += counts.reopened;
      sum.resumed += counts.resumed;
    }
    return sum;
  }

  /** How many streams both ends are through with. */
  get wholeStreams(): number {
    return [...this.#streams.values()].filter(({ finished }) => finished.size === 2).length;
  }

  count(processNumber: number, counts: ClientCounts): void {
    this.#counts.set(processNumber, counts);
  }

  handled({ stream, attempt, by }: Report<"handled">): void {
    const { handled } = this.#entry(stream);
    handled.push(attempt);
    if (handled.length === 1) return;
    const detail = `its handler ran ${handled.length} times: for the opens ${handled.join(", ")}`;
    this.#failOf(stream, [openerOf(stream), by], "duplicated", detail);
  }

  finished({ stream, role }: Report<"finished">): void {
    this.#entry(stream).finished.add(role);
  }

  fail(failure: Failure): void {
    this.#totals[failure.what] += failure.count;
    this.#failures.push(failure);
    this.#onFailure(failure);
  }

  /** At the end: a stream that its opener is through with, and the other end has never heard of. */
  close(): void {
    for (const [stream, { handled, finished }] of this.#streams) {
      const isTold = this.#failures.some(({ where }) => where.startsWith(`stream ${stream} `));
      if (finished.has("opener") && handled.length === 0 && !isTold)
        this.#failOf(stream, [openerOf(stream)], "lost", "its opener is through with it, but no handler ever ran");
    }
  }

  #entry(stream: string): StreamEntry {
    const entry = this.#streams.get(stream) ?? { handled: [], finished: new Set() };
    this.#streams.set(stream, entry);
    return entry;
  }

  #failOf(stream: string, clients: readonly string[], what: FailureKind, detail: string): void {
    const atMs = Date.now() - this.#epochMs;
    this.fail({ what, count: 1, atMs, where: `stream ${stream}`, clients, detail, events: [] });
  }
}
