import { goneReasons } from "@messagepasser/protocol";
import type { WireMessage } from "@messagepasser/protocol/formats";
import { Routing } from "../../src/routing/routing.ts";
import { Rules } from "../../src/routing/rules.ts";
import { addressesOf } from "../../src/shards/address.ts";
import { CallRate, CallsMade } from "../../src/shards/call-rate.ts";
import { decodeAnswer } from "../../src/shards/call.ts";
import { Trunks } from "../../src/shards/trunks.ts";
import { Random } from "../../test/soak/random.ts";
import { idleBeforeSleepS } from "../cost/prices.ts";
import type { SimulatedClock } from "./clock.ts";
import { type LightLink, LightLinks, type LinkOwner } from "./light-links.ts";
import { callMs } from "./scenario.ts";

/** What a shard has done since it was asked to count. */
export class Counts {
  connects = 0;
  disconnects = 0;
  messagesIn = 0;
  callsMade = 0;
  callsTaken = 0;
  /** Those of them that came over WebSockets. */
  callsBySocket = 0;
  callBytes = 0;
  itemsTaken = 0;
  closed = 0;
  awakeMs = 0;
  /** The most bytes that waited for other shards. */
  heldBytes = 0;
}

/** What the shards of a realm share. */
export interface Realm {
  readonly clock: SimulatedClock;
  readonly shards: readonly SimulatedShard[];
  hear(link: LightLink, message: WireMessage): void;
}

const rules = Rules.parse("");

/** The way to one other shard: RPC, or a WebSocket, which closes when it was quiet. */
class Way {
  readonly #made: CallsMade;
  readonly #rate: CallRate;
  #lastMs = 0;
  #hasSocket = false;

  constructor(made: CallsMade) {
    this.#made = made;
    this.#rate = new CallRate(made);
  }

  /** A call is made. @returns whether it goes over a WebSocket */
  call(nowMs: number): boolean {
    const isBySocket = this.#hasSocket && nowMs - this.#lastMs < this.#made.mostQuietMs(nowMs);
    this.#lastMs = nowMs;
    const isWorthSocket = this.#rate.count(nowMs);
    this.#hasSocket = isBySocket || isWorthSocket;
    return isBySocket;
  }
}

/** One object, with the code that routes in it. It leaves memory as the runtime would have it. */
export class SimulatedShard implements LinkOwner {
  readonly links: LightLinks;
  counts = new Counts();
  readonly #number: number;
  readonly #realm: Realm;
  readonly #random: Random;
  #trunks: Trunks;
  #routing: Routing;
  /** Numbers of trunks, and patterns, as they were stored. */
  readonly #numbers = new Map<number, number>();
  readonly #subscribed = new Map<number, readonly string[]>();
  readonly #made = new CallsMade();
  readonly #ways = new Map<number, Way>();
  /** Timers, and calls under way: with any of them the object stays in memory. */
  #pending = 0;
  #countedMs = 0;
  #awakeUntilMs = 0;

  constructor(realm: Realm, number: number, count: number) {
    this.#realm = realm;
    this.#number = number;
    this.#random = new Random("shard", number);
    this.links = new LightLinks(this, addressesOf(number).first);
    [this.#trunks, this.#routing] = this.#start(count);
  }

  #start(count: number): [Trunks, Routing] {
    const randomU32 = (): number => this.#random.integer(0, 0xffff_ffff);
    const after = (delayMs: number, callback: () => void): void => {
      this.#pending++;
      this.#realm.clock.after(delayMs, () => {
        this.#pending--;
        this.#event(callback);
      });
    };
    const trunks: Trunks = new Trunks(this.#number, count, {
      randomU32,
      after,
      call: (to, bytes, ended) => {
        this.counts.callsMade++;
        this.counts.callBytes += bytes.length;
        this.counts.heldBytes = Math.max(this.counts.heldBytes, trunks.heldBytes);
        const isBySocket = this.#wayTo(to).call(this.nowMs);
        // The trunks write their next call into the same memory.
        const sent = bytes.slice();
        this.#pending++;
        this.#realm.clock.after(callMs / 2, () => {
          const answer = decodeAnswer(this.#realm.shards[to]?.takeCall(sent, isBySocket) ?? new Uint8Array());
          after(callMs / 2, () => {
            this.#pending--;
            routing.beginCall();
            ended(answer);
            routing.endCall();
          });
        });
      },
      number: (to) => this.#numbers.get(to),
      keep: (to, number) => void this.#numbers.set(to, number),
      moreShards: () => undefined,
      paired: () => undefined,
      subscribed: (of) => this.#subscribed.get(of) ?? [],
      noteSubscribed: (of, patterns) => void this.#subscribed.set(of, patterns),
      take: (item, of) => {
        this.counts.itemsTaken++;
        routing.take(item, of);
      },
      broken: (of, questions) => {
        routing.broken(of, questions);
      },
    });
    const runtime = {
      now: () => this.nowMs,
      randomU32,
      rules: () => rules,
      after,
      abort: (reason: string) => {
        throw new Error(`Shard ${this.#number} ends itself: ${reason}`);
      },
    };
    const routing: Routing = new Routing(this.links, "simulated", runtime, trunks);
    return [trunks, routing];
  }

  get nowMs(): number {
    return this.#realm.clock.nowMs;
  }

  join(client: number, name: string): LightLink {
    return this.#event(() => {
      this.counts.connects++;
      if (!this.#routing.mayJoin({ name })) throw new Error(`"${name}" may not join`);
      const link = this.links.make(client, name);
      this.#routing.join(link);
      return link;
    });
  }

  /** A client's socket has closed. */
  leave(link: LightLink): void {
    this.#event(() => {
      this.counts.disconnects++;
      this.#routing.leave(link, goneReasons.lost);
    });
  }

  /** A WebSocket message of a client. */
  receive(link: LightLink, batch: Uint8Array): void {
    this.#event(() => {
      this.counts.messagesIn++;
      this.#routing.receive(link, batch);
    });
  }

  takeCall(bytes: Uint8Array, isBySocket: boolean): Uint8Array {
    return this.#event(() => {
      this.counts.callsTaken++;
      if (isBySocket) this.counts.callsBySocket++;
      this.#routing.beginCall();
      try {
        return this.#trunks.receive(bytes);
      } finally {
        this.#routing.endCall();
      }
    });
  }

  sent(link: LightLink, message: WireMessage): void {
    this.#realm.hear(link, message);
  }

  closed(): void {
    this.counts.closed++;
  }

  #wayTo(shard: number): Way {
    let way = this.#ways.get(shard);
    if (way === undefined) this.#ways.set(shard, (way = new Way(this.#made)));
    return way;
  }

  /** Counts anew from now on. */
  beginCounting(): void {
    this.#countAwake();
    this.counts = new Counts();
  }

  /** What was counted until now. */
  endCounting(): Counts {
    this.#countAwake();
    return this.counts;
  }

  /** Links of which the object has something in its memory. */
  get linksInMemory(): number {
    return this.#isAsleep ? 0 : this.links.inMemory;
  }

  /** Something wakes the object, or keeps it awake. */
  #event<Result>(carryOut: () => Result): Result {
    this.#countAwake();
    if (this.#isAsleep) this.#sleep();
    this.#awakeUntilMs = this.nowMs + idleBeforeSleepS * 1_000;
    return carryOut();
  }

  get #isAsleep(): boolean {
    return this.nowMs > this.#awakeUntilMs && this.#pending === 0;
  }

  #countAwake(): void {
    this.counts.awakeMs += Math.max(0, Math.min(this.nowMs, this.#awakeUntilMs) - this.#countedMs);
    this.#countedMs = this.nowMs;
  }

  /** What was in memory is gone. */
  #sleep(): void {
    this.links.sleep();
    [this.#trunks, this.#routing] = this.#start(this.#realm.shards.length);
  }
}
