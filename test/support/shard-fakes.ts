// Several pure routers as the shards of one realm, with trunks between them whose calls a test carries out.
import { LinkMemory } from "../../src/routing/link.ts";
import { Routing } from "../../src/routing/routing.ts";
import { Rules } from "../../src/routing/rules.ts";
import { addressesOf } from "../../src/shards/address.ts";
import { decodeAnswer } from "../../src/shards/call.ts";
import type { Outcome } from "../../src/shards/trunk.ts";
import { Trunks } from "../../src/shards/trunks.ts";
import { batchOf, openTo, toRouter } from "./batches.ts";
import { type FakeLink, type FakeLinkOptions, FakeLinks, FakeRuntime } from "./routing-fakes.ts";
import { nameOn } from "./shard-names.ts";

export interface FakeShard {
  readonly links: FakeLinks;
  readonly runtime: FakeRuntime;
  /** Of trunks: their numbers, and the patterns of which other shards want to be told. */
  readonly stored: {
    readonly numbers: Map<number, number>;
    readonly subscribed: Map<number, readonly string[]>;
  };
  readonly trunks: Trunks;
  readonly routing: Routing;
}

interface Call {
  readonly to: number;
  readonly bytes: Uint8Array;
  readonly ended: (outcome: Outcome) => void;
}

export class FakeShards {
  readonly shards: FakeShard[];
  /** Calls that `run` has not carried out. */
  readonly calls: Call[] = [];
  readonly #homes = new Map<FakeLink, number>();

  /** @param pairCapacity of each link */
  constructor(count: number, pairCapacity?: number) {
    this.shards = Array.from({ length: count }, (_, number) => {
      const links = new FakeLinks(pairCapacity, addressesOf(number).first);
      const stored = { numbers: new Map<number, number>(), subscribed: new Map<number, readonly string[]>() };
      return this.#start(number, count, { links, runtime: new FakeRuntime(), stored });
    });
  }

  #start(number: number, count: number, kept: Pick<FakeShard, "links" | "runtime" | "stored">): FakeShard {
    const { links, runtime, stored } = kept;
    const { numbers, subscribed } = stored;
    const trunks: Trunks = new Trunks(number, count, {
      randomU32: () => runtime.randomU32(),
      after: (delayMs, callback) => {
        runtime.after(delayMs, callback);
      },
      call: (to, bytes, ended) => {
        this.calls.push({ to, bytes: bytes.slice(), ended });
      },
      number: (to) => numbers.get(to),
      keep: (to, trunk) => void numbers.set(to, trunk),
      moreShards: () => undefined,
      paired: () => undefined,
      subscribed: (of) => subscribed.get(of) ?? [],
      noteSubscribed: (of, patterns) => void subscribed.set(of, patterns),
      take: (item, of) => {
        routing.take(item, of);
      },
      broken: (of, questions) => {
        routing.broken(of, questions);
      },
    });
    const routing: Routing = new Routing(links, "home", runtime, trunks);
    return { ...kept, trunks, routing };
  }

  /** All objects have slept: only what stands in links and storage is left. They can't sleep while calls are under way. */
  sleep(): void {
    if (this.calls.length > 0) throw new Error("Calls are under way");
    for (const [number, shard] of this.shards.entries()) {
      for (const link of shard.links.current()) link.memory = new LinkMemory();
      this.shards[number] = this.#start(number, this.shards.length, shard);
    }
  }

  at(number: number): FakeShard {
    const shard = this.shards[number];
    if (shard === undefined) throw new Error(`There is no shard ${number}`);
    return shard;
  }

  of(link: FakeLink): FakeShard {
    return this.at(this.#homes.get(link) ?? -1);
  }

  /** A link whose client has its home on a shard. Its name begins as said. */
  join(shard: number, start: string, options: FakeLinkOptions = {}): FakeLink {
    const { links, runtime } = this.at(shard);
    const link = links.join(this.nameOn(shard, start), { lastHeardMs: runtime.nowMs, ...options });
    this.#homes.set(link, shard);
    return link;
  }

  nameOn(shard: number, start: string): string {
    return nameOn(shard, start, this.shards.length);
  }

  /** A client sends a batch, and everything that follows from it happens. */
  send(from: FakeLink, batch: Uint8Array): void {
    this.of(from).routing.receive(from, batch);
    this.run();
  }

  open(from: FakeLink, to: FakeLink, fields: Parameters<typeof openTo>[1] = {}): void {
    this.send(from, toRouter(openTo(to.name, fields)));
  }

  /** Opens, and forgets what both heard of it. */
  pair(from: FakeLink, to: FakeLink): void {
    this.open(from, to);
    from.take();
    to.take();
  }

  data(from: FakeLink, to: FakeLink, ...bytes: readonly number[]): void {
    this.send(from, batchOf([to.address, Uint8Array.from(bytes)]));
  }

  /** Carries out all calls. */
  run(): void {
    while (this.runNext());
  }

  /** Carries out the next call. @returns false if there is none */
  runNext(): boolean {
    const call = this.calls.shift();
    if (call === undefined) return false;
    const { routing, trunks } = this.at(call.to);
    routing.beginCall();
    const answer = decodeAnswer(trunks.receive(call.bytes));
    routing.endCall();
    this.end(call, answer);
    return true;
  }

  /** Ends a call in another way than `run` does. */
  end({ ended }: Pick<Call, "ended">, outcome: Outcome): void {
    for (const { routing } of this.shards) routing.beginCall();
    ended(outcome);
    for (const { routing } of this.shards) routing.endCall();
  }

  changeRules(text: string): void {
    for (const { runtime, routing } of this.shards) {
      const before = runtime.currentRules;
      runtime.currentRules = Rules.parse(text);
      routing.changeRules(before);
      this.run();
    }
  }
}
