import type { Clock } from "../../client/src/link/platform.ts";
import { encodeBatch, goneReasons, ProtocolError, routerAddress } from "@messagepasser/protocol";
import { closings, malformed } from "../../src/routing/closings.ts";
import { LinkMemory } from "../../src/routing/link.ts";
import { Routing } from "../../src/routing/routing.ts";
import { Rules } from "../../src/routing/rules.ts";
import { addressesOf } from "../../src/shards/address.ts";
import { decodeAnswer, decodeCall } from "../../src/shards/call.ts";
import { homeOf } from "../../src/shards/home.ts";
import type { Outcome } from "../../src/shards/trunk.ts";
import { Trunks } from "../../src/shards/trunks.ts";
import { alone, FakeLink, FakeLinks } from "../support/routing-fakes.ts";
import { answersIn, type CallJudge, faultIn, type Judged, type Scene, verdictsOn } from "./judge.ts";
import type { Wire } from "./wire.ts";

const open = Rules.parse("");

/** The surroundings of an object. */
export interface Surroundings {
  /** How many shards there are. */
  readonly count: number;
  readonly clock: Clock;
  readonly judge: CallJudge;
  call(from: number, to: number, bytes: Uint8Array, ended: (outcome: Outcome) => void): void;
  fail(problem: string): void;
}

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

/** The real routing and the real trunks of one object behind simulated sockets: what `RouterObject` does with them, which can die, and sleep. */
export class Shard {
  readonly #number: number;
  readonly #surroundings: Surroundings;
  /** Whether other objects can't read its calls, and it can't read theirs. */
  isOfAnotherVersion = false;
  /** The numbers of its trunks, as it has stored them. */
  readonly #stored = new Map<number, number>();
  #links = new FakeLinks();
  readonly #ends = new Map<Wire, SimulatedLink>();
  #nextAddress: number;
  /** Grows with each start: what an older one waits for counts for nothing. */
  #start = 0;
  #timers = new Set<() => void>();
  #trunks: Trunks | undefined;
  #routing: Routing;

  constructor(number: number, surroundings: Surroundings) {
    this.#number = number;
    this.#surroundings = surroundings;
    this.#nextAddress = addressesOf(number).first;
    this.#routing = this.#begin();
  }

  /** Whether the object waits for nothing. */
  get isIdle(): boolean {
    return this.#timers.size === 0;
  }

  /** Whether the wire has a link that the router has not closed. */
  isOpen(wire: Wire): boolean {
    return this.#ends.get(wire)?.memory.isOver === false;
  }

  upgrade(wire: Wire): void {
    const link = new SimulatedLink(this.#nextAddress++, wire, this.#surroundings.clock.now());
    this.#ends.set(wire, link);
    this.#routing.join(link);
  }

  get #scene(): Scene {
    const { clock, count } = this.#surroundings;
    return {
      links: [...this.#ends.values()].filter(({ memory }) => !memory.isOver),
      nowMs: clock.now(),
      isHomeOf: (name) => homeOf(name, count) === this.#number,
    };
  }

  /** A message on a wire, which the router may have closed before. @throws Error where an honest client broke a rule. */
  receive(wire: Wire, batch: Uint8Array): void {
    const link = this.#ends.get(wire);
    if (link === undefined) return;
    const verdicts = link.memory.isOver ? undefined : verdictsOn(batch, link, this.#scene);
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
      if (!(answer instanceof Uint8Array)) continue;
      for (const frame of answersIn(answer)) {
        const fault = faultIn(frame, verdicts.get(frame.connection));
        if (fault !== undefined) throw new Error(fault);
      }
    }
  }

  /** A heartbeat was answered: that happens without the object. */
  heard(wire: Wire): void {
    const link = this.#ends.get(wire);
    if (link !== undefined) link.lastHeardMs = this.#surroundings.clock.now();
  }

  /** A socket is gone. */
  leave(wire: Wire): void {
    const link = this.#ends.get(wire);
    if (link === undefined) return;
    this.#ends.delete(wire);
    this.#routing.leave(link, goneReasons.lost);
  }

  /** The alarm that finds out whether other objects still have their links. */
  alarm(): void {
    this.#routing.checkShards();
  }

  /** Another object calls. */
  takeCall(bytes: Uint8Array, isReadable: boolean): Outcome {
    if (this.#trunks === undefined) throw new Error("A realm of one shard gets a call");
    const read = bytes.slice();
    // Another version of the code writes another number.
    if (!isReadable) read[0] = 99;
    else this.#surroundings.judge.hear(decodeCall(bytes), this.#scene);
    this.#routing.beginCall();
    const answer = this.#trunks.receive(read);
    this.#routing.endCall();
    if (!isReadable) answer[0] = 99;
    return decodeAnswer(answer);
  }

  /**
   * The object is gone with all its links. That of a realm of one shard begins to count addresses anew: in truth none comes
   * twice, so that here whoever mistakes an old address for a new one is found out. Clients of other shards, which have lost
   * no link, may still send to an old address.
   *
   * @returns the wires that have lost their other end.
   */
  die(): Wire[] {
    const wires = [...this.#ends.keys()];
    this.#ends.clear();
    this.#links = new FakeLinks();
    if (this.#surroundings.count === 1) this.#nextAddress = addressesOf(this.#number).first;
    this.#routing = this.#begin();
    return wires;
  }

  /** The object has slept: only what stands in the links and in its storage is left. */
  sleep(): void {
    for (const [wire, link] of this.#ends) {
      if (link.memory.isOver) this.#ends.delete(wire);
      else link.memory = new LinkMemory();
    }
    this.#routing = this.#begin();
  }

  #begin(): Routing {
    const { count, clock, call } = this.#surroundings;
    const start = ++this.#start;
    for (const cancel of this.#timers) cancel();
    this.#timers = new Set();
    const { random } = clock;
    const randomU32 = (): number => Math.floor(random() * 2 ** 32);
    const after = (delayMs: number, callback: () => void): void => {
      const cancel = clock.after(delayMs, () => {
        this.#timers.delete(cancel);
        callback();
      });
      this.#timers.add(cancel);
    };
    this.#trunks =
      count === 1
        ? undefined
        : new Trunks(this.#number, count, {
            randomU32,
            after,
            call: (to, bytes, ended) => {
              this.#checkAnswers(bytes);
              call(this.#number, to, bytes.slice(), (outcome) => {
                if (start !== this.#start) return;
                this.#routing.beginCall();
                ended(outcome);
                this.#routing.endCall();
              });
            },
            number: (of) => this.#stored.get(of),
            keep: (of, number) => void this.#stored.set(of, number),
            moreShards: () => undefined,
            paired: () => undefined,
            subscribed: () => [],
            noteSubscribed: () => undefined,
            take: (item, of) => {
              if (item.kind === "fault") this.#surroundings.fail(`An honest client broke a rule: ${item.problem}`);
              this.#routing.take(item, of);
            },
            broken: (of, questions) => {
              this.#routing.broken(of, questions);
            },
          });
    // After a sleep there are sockets: without any, the links that other shards may know of are gone.
    if (this.#ends.size === 0) this.#trunks?.reset();
    const runtime = {
      now: () => clock.now(),
      randomU32,
      after: () => {
        throw new Error("The router waits, and nobody watches anything here");
      },
      rules: () => open,
      abort: (reason: string) => {
        throw new Error(`The router ended itself: ${reason}`);
      },
    };
    return new Routing(this.#links, "home", runtime, this.#trunks ?? alone);
  }

  #checkAnswers(bytes: Uint8Array): void {
    const fault = this.#surroundings.judge.answer(decodeCall(bytes));
    if (fault !== undefined) this.#surroundings.fail(fault);
  }
}
