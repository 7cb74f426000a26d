import type { Clock } from "../../client/src/link/platform.ts";
import { encodeBatch, goneReasons, ProtocolError, routerAddress } from "@messagepasser/protocol";
import { closings, malformed } from "../../src/routing/closings.ts";
import { LinkMemory } from "../../src/routing/link.ts";
import { Routing } from "../../src/routing/routing.ts";
import { Rules } from "../../src/routing/rules.ts";
import { alone, FakeLink, FakeLinks } from "../support/routing-fakes.ts";
import { faultIn, type Judged, verdictsOn } from "./judge.ts";
import type { Wire } from "./wire.ts";

const open = Rules.parse("");

/** The router's end of a wire. */
class SimulatedLink extends FakeLink implements Judged {
  told: Map<string, boolean> | undefined;
  readonly #wire: Wire;

  constructor(address: number, wire: Wire, nowMs: number) {
    super(address, wire.name, { session: wire.session, instance: wire.instance, lastHeardMs: nowMs });
    this.#wire = wire;
  }

  get heardMs(): number {
    return Math.max(this.lastHeardMs, this.memory.heardAtMs);
  }

  override send(batch: Uint8Array): void {
    // A socket copies what it sends, and the router goes on writing into the batch.
    this.#wire.down.push(batch.slice());
  }

  override close(code: number, reason: string, delayMs: number): void {
    this.send(encodeBatch(routerAddress, { kind: "closing", code, delayMs, reason }));
    this.#wire.down.push({ closeCode: code, reason });
  }
}

/** The real routing behind simulated sockets: what `RouterObject` does with them, which can die, and sleep. */
export class Router {
  readonly #clock: Clock;
  #links = new FakeLinks();
  readonly #ends = new Map<Wire, SimulatedLink>();
  #routing: Routing;
  #nextAddress = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#routing = this.#start();
  }

  /** Whether the wire has a link that the router has not closed. */
  isOpen(wire: Wire): boolean {
    return this.#ends.get(wire)?.memory.isOver === false;
  }

  upgrade(wire: Wire): void {
    const link = new SimulatedLink(this.#nextAddress++, wire, this.#clock.now());
    this.#ends.set(wire, link);
    this.#routing.join(link);
  }

  /** A message on a wire, which the router may have closed before. @throws Error where an honest client broke a rule. */
  receive(wire: Wire, batch: Uint8Array): void {
    const link = this.#ends.get(wire);
    if (link === undefined) return;
    const there = [...this.#ends.values()].filter(({ memory }) => !memory.isOver);
    const verdicts = link.memory.isOver ? undefined : verdictsOn(batch, link, there, this.#clock.now());
    const before = wire.down.length;
    try {
      if (!this.#routing.receive(link, batch)) this.#routing.drop(link, goneReasons.ended, closings.bye);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#routing.drop(link, goneReasons.lost, malformed(error.message));
      throw new Error(`The router refused a batch of "${wire.name}": ${error.message}`, { cause: error });
    }
    if (verdicts === undefined || verdicts.size === 0) return;
    for (const answer of wire.down.slice(before)) {
      const fault = answer instanceof Uint8Array ? faultIn(answer, verdicts) : undefined;
      if (fault !== undefined) throw new Error(fault);
    }
  }

  /** A heartbeat was answered: that happens without the object. */
  heard(wire: Wire): void {
    const link = this.#ends.get(wire);
    if (link !== undefined) link.lastHeardMs = this.#clock.now();
  }

  /** A socket is gone. */
  leave(wire: Wire): void {
    const link = this.#ends.get(wire);
    if (link === undefined) return;
    this.#ends.delete(wire);
    this.#routing.leave(link, goneReasons.lost);
  }

  /**
   * The object is gone with all its links. The next one begins to count addresses anew: in truth none comes twice, so
   * that here whoever mistakes an old address for a new one is found out.
   *
   * @returns the wires that have lost their other end.
   */
  die(): Wire[] {
    const wires = [...this.#ends.keys()];
    this.#ends.clear();
    this.#links = new FakeLinks();
    this.#nextAddress = 1;
    this.#routing = this.#start();
    return wires;
  }

  /** The object has slept: only what stands in the links is left. */
  sleep(): void {
    for (const [wire, link] of this.#ends) {
      if (link.memory.isOver) this.#ends.delete(wire);
      else link.memory = new LinkMemory();
    }
    this.#routing = this.#start();
  }

  #start(): Routing {
    const runtime = {
      now: () => this.#clock.now(),
      randomU32: () => Math.floor(this.#clock.random() * 2 ** 32),
      after: () => {
        throw new Error("The router waits, and nobody watches anything here");
      },
      rules: () => open,
      abort: (reason: string) => {
        throw new Error(`The router ended itself: ${reason}`);
      },
    };
    return new Routing(this.#links, "home", runtime, alone);
  }
}
