import { encodeBatch, goneReasons, ProtocolError, routerAddress } from "@messagepasser/protocol";
import { native } from "@messagepasser/protocol/formats";
import { closings, malformed } from "../../src/routing/closings.ts";
import { type Link, type Links, LinkMemory } from "../../src/routing/link.ts";
import { Routing } from "../../src/routing/routing.ts";
import { Rules } from "../../src/routing/rules.ts";
import { ListedPairs } from "../support/listed-pairs.ts";
import type { Wire } from "./wire.ts";

const open = Rules.parse("");

/** The router's end of a wire. */
export class SimulatedLink implements Link {
  readonly address: number;
  readonly name: string;
  readonly session: string;
  readonly resumes = true;
  readonly format = native;
  formatMemory = new Uint8Array();
  readonly pairs = new ListedPairs();
  lastHeardMs: number;
  memory = new LinkMemory();
  readonly #wire: Wire;

  constructor(address: number, wire: Wire, nowMs: number) {
    this.address = address;
    this.name = wire.name;
    this.session = wire.session;
    this.lastHeardMs = nowMs;
    this.#wire = wire;
  }

  send(batch: Uint8Array): void {
    // A socket copies what it sends, and the router goes on writing into the batch.
    this.#wire.down.push(batch.slice());
  }

  close(code: number, reason: string, delayMs: number): void {
    this.send(encodeBatch(routerAddress, { kind: "closing", code, delayMs, reason }));
    this.#wire.down.push({ closeCode: code, reason });
  }
}

class SimulatedLinks implements Links {
  readonly byAddresses = new Map<number, SimulatedLink>();

  byAddress(address: number): SimulatedLink | undefined {
    return this.byAddresses.get(address);
  }

  byName(name: string): SimulatedLink | undefined {
    for (const link of this.byAddresses.values()) if (link.name === name) return link;
    return undefined;
  }

  get knownCount(): number {
    return this.byAddresses.size;
  }

  all(): Iterable<SimulatedLink> {
    return this.byAddresses.values();
  }

  add(link: SimulatedLink): void {
    this.byAddresses.set(link.address, link);
  }

  remove(link: SimulatedLink): void {
    this.byAddresses.delete(link.address);
  }
}

/** The real routing behind simulated sockets: what `RouterObject` does with them, which can die, and sleep. */
export class Router {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #links = new SimulatedLinks();
  readonly #ends = new Map<Wire, SimulatedLink>();
  #routing: Routing;
  #nextAddress = 1;

  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
    this.#routing = this.#start();
  }

  /** Whether the wire has a link that the router has not closed. */
  isOpen(wire: Wire): boolean {
    return this.#ends.get(wire)?.memory.isOver === false;
  }

  upgrade(wire: Wire): void {
    const link = new SimulatedLink(this.#nextAddress++, wire, this.#now());
    this.#ends.set(wire, link);
    this.#routing.join(link);
  }

  /** What came on a wire, which the router may have closed before. @throws Error where an honest client broke a rule. */
  receive(wire: Wire, batch: Uint8Array): void {
    const link = this.#ends.get(wire);
    if (link === undefined) return;
    try {
      if (!this.#routing.receive(link, batch)) this.#routing.drop(link, goneReasons.over, closings.bye);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#routing.drop(link, goneReasons.lost, malformed(error.message));
      throw new Error(`The router refused a batch of "${wire.name}": ${error.message}`, { cause: error });
    }
  }

  /** A heartbeat was answered: that happens without the object. */
  heard(wire: Wire): void {
    const link = this.#ends.get(wire);
    if (link !== undefined) link.lastHeardMs = this.#now();
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
    this.#links.byAddresses.clear();
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
    return new Routing(this.#links, "home", {
      now: this.#now,
      randomU32: () => Math.floor(this.#random() * 2 ** 32),
      rules: () => open,
      abort: (reason) => {
        throw new Error(`The router ended itself: ${reason}`);
      },
    });
  }
}
