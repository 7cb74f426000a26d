import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { type FaultKind, faultKinds, faults, type Scene, type Struck, weights } from "./faults.ts";
import type { Attacker } from "./attacks.ts";
import type { Clients } from "./clients.ts";
import type { Gate } from "./gate.ts";
import { secondsOf } from "./journal.ts";
import { Random } from "./random.ts";
import type { Router } from "./router.ts";

export interface InjectorStart {
  readonly seed: number;
  readonly epochMs: number;
  readonly gates: readonly Gate[];
  readonly router: Router;
  readonly processes: readonly Clients[];
  readonly attacker: Attacker;
  readonly faultsPerSecond: number;
  /** Which kinds to make. */
  readonly kinds: readonly FaultKind[];
}

interface NotedFault extends Struck {
  readonly atMs: number;
}

const kept = 500;

/** Makes faults, as the seed and the clock decide. */
export class Injector {
  readonly #start: InjectorStart;
  readonly #over = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #noted: NotedFault[] = [];
  readonly #counts = new Map<FaultKind, number>();
  #count = 0;

  constructor(start: InjectorStart) {
    this.#start = start;
    this.#failed.promise.catch(() => undefined);
    // Every fault that lasts listens, and many may last at once.
    setMaxListeners(0, this.#over.signal);
  }

  /** How many have struck. */
  get count(): number {
    return this.#count;
  }

  /** How many of each kind have struck. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  /** Makes faults until the time is over, and waits until all have gone. @throws Error if the router doesn't come back */
  async run(durationMs: number): Promise<void> {
    const { seed, faultsPerSecond } = this.#start;
    const random = new Random(seed, "schedule");
    const endMs = Date.now() + durationMs;
    const over = this.#over.signal;
    try {
      for (let number = 0; ; number++) {
        // Exponential, as with faults that know nothing of each other; but never so long that a run gets none.
        const pauseMs = (Math.min(5, -Math.log(1 - random.fraction())) * 1_000) / faultsPerSecond;
        if (Date.now() + pauseMs >= endMs) break;
        await Promise.race([delay(pauseMs, undefined, { signal: over }), this.#failed.promise]);
        const kind = this.#choose(random, endMs);
        if (kind !== undefined) this.#begin(kind, new Random(seed, "fault", number));
      }
      await Promise.race([delay(Math.max(0, endMs - Date.now()), undefined, { signal: over }), this.#failed.promise]);
    } catch (error) {
      if (!over.aborted) throw error;
    } finally {
      this.stop();
      await Promise.all(this.#underWay);
    }
  }

  /** Ends all faults that last. */
  stop(): void {
    this.#over.abort();
  }

  /** The last that hit these clients, for people, oldest first. */
  recent(clients: readonly string[], untilMs: number): string[] {
    const hits = (fault: Struck): boolean =>
      fault.clients === "all" || fault.clients.some((name) => clients.includes(name));
    return this.#noted
      .filter((fault) => fault.atMs <= untilMs && hits(fault))
      .slice(-12)
      .map(({ atMs, kind, clients: whom, what }) => {
        const names = whom === "all" ? "" : ` ${whom.join(", ")}`;
        return `${secondsOf(atMs)} ${kind}${names}: ${what}`;
      });
  }

  #begin(kind: FaultKind, random: Random): void {
    const scene: Scene = {
      ...this.#start,
      random,
      over: this.#over.signal,
      struck: (fault) => {
        this.#note(fault);
      },
    };
    const fault = faults[kind](scene)
      .catch((error: unknown) => {
        this.#failed.reject(error);
      })
      .finally(() => this.#underWay.delete(fault));
    this.#underWay.add(fault);
  }

  #choose(random: Random, endMs: number): FaultKind | undefined {
    const { kinds, router } = this.#start;
    // One that outlasts a client's patience needs a run that outlasts it by far.
    const isLongRun = endMs - this.#start.epochMs > 120_000 && endMs - Date.now() > 55_000;
    const isPossible = (kind: FaultKind): boolean =>
      kind === "longStall" ? isLongRun : kind !== "lose" || router.shards > 1;
    const possible = faultKinds.filter((kind) => kinds.includes(kind) && isPossible(kind));
    if (possible.length === 0) return undefined;
    return random.weighted(Object.fromEntries(possible.map((kind) => [kind, weights[kind]])) as typeof weights);
  }

  #note(fault: Struck): void {
    this.#count++;
    this.#counts.set(fault.kind, (this.#counts.get(fault.kind) ?? 0) + 1);
    this.#noted.push({ ...fault, atMs: Date.now() - this.#start.epochMs });
    if (this.#noted.length > kept) this.#noted.shift();
  }
}
