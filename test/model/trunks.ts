// Shards that tell each other numbered things over calls which may be lost, doubled or late, while their objects sleep and
// are reset, and more shards come, of which the others learn by calls. What is told must come once and in order, or its trunk must have broken at both ends; and every question must
// be answered, or be known to be lost.
import fc from "fast-check";
import { native } from "@messagepasser/protocol/formats";
import type { CrossingItem, Question } from "../../src/routing/crossing-item.ts";
import type { LostQuestions, Outcome } from "../../src/shards/trunk.ts";
import { decodeAnswer } from "../../src/shards/call.ts";
import { giverTo } from "../../src/shards/home.ts";
import { Trunks } from "../../src/shards/trunks.ts";

const [firstCount, lastCount] = [3, 5];

/** One choice after the other; each picks among what is possible then. */
export const trunkSchedules = fc.array(fc.nat(1 << 20), { maxLength: 120, size: "max" });

interface CallUnderWay {
  readonly from: Shard;
  readonly to: number;
  readonly bytes: Uint8Array;
  readonly ended: (outcome: Outcome) => void;
}

/** What has become of a question. */
interface Asked {
  readonly from: Shard;
  readonly to: number;
  taken: number;
  fate: "open" | "answered" | "unsent" | "sent" | "forgotten";
}

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

class Shard {
  readonly number: number;
  /** Stored numbers of trunks, by the other shard. */
  readonly stored = new Map<number, number>();
  readonly world: World;
  trunks: Trunks;
  /** Grows with each start: what an older start left behind counts for nothing. */
  start = 0;
  /** Whether it was reset, and nothing has woken it since. */
  isGone = false;
  timers: Timer[] = [];
  random = 1;
  /** How many shards there are, as this one has stored it. */
  count: number;

  constructor(number: number, count: number, world: World) {
    this.number = number;
    this.count = count;
    this.world = world;
    this.trunks = this.begin();
  }

  begin(): Trunks {
    const start = ++this.start;
    this.timers = [];
    return new Trunks(this.number, this.count, {
      randomU32: () => (this.random = (this.random * 48_271 + this.number) % 0x7fff_ffff),
      after: (delayMs, callback) => {
        this.timers.push({ dueMs: this.world.nowMs + delayMs, callback });
      },
      call: (to, bytes, ended) => {
        const outcome = (what: Outcome): void => {
          if (this.start === start) ended(what);
        };
        this.world.calls.push({ from: this, to, bytes: bytes.slice(), ended: outcome });
      },
      number: (of) => this.stored.get(of),
      keep: (of, number) => this.stored.set(of, number),
      moreShards: (count) => {
        this.learn(count);
      },
      paired: () => undefined,
      subscribed: () => [],
      noteSubscribed: () => undefined,
      take: (item, from) => {
        this.world.taken(this, from, item);
      },
      broken: (of, questions) => {
        this.world.broken(this, of, questions);
      },
    });
  }

  learn(count: number): void {
    this.count = count;
    this.trunks.grow(count);
  }
}

class World {
  /** Time goes on only where a timer goes off at its time. */
  nowMs = 0;
  calls: CallUnderWay[] = [];
  /** Calls that failed for their caller, and may still arrive. */
  late: CallUnderWay[] = [];
  readonly shards: Shard[];
  /** What one shard has told another under each number of their trunk, and how much of it the other has taken. */
  readonly told = new Map<string, { said: number[]; taken: number }>();
  readonly questions = new Map<number, Asked>();
  #count = 0;

  constructor() {
    this.shards = Array.from({ length: firstCount }, (_, number) => new Shard(number, firstCount, this));
  }

  #at(number: number): Shard {
    const shard = this.shards[number % this.shards.length];
    if (shard === undefined) throw new Error("There is no such shard");
    return shard;
  }

  /** There is one more shard. The one that gives it names knows at once. */
  grow(): void {
    const number = this.shards.length;
    if (number === lastCount) return;
    this.shards.push(new Shard(number, number + 1, this));
    this.#at(giverTo(number)).learn(number + 1);
  }

  #toldBy(from: number, to: number, trunk: number): { said: number[]; taken: number } {
    const key = `${from} ${to} ${trunk}`;
    let told = this.told.get(key);
    if (told === undefined) this.told.set(key, (told = { said: [], taken: 0 }));
    return told;
  }

  /** Each event ends so. */
  #flush(shard: Shard): void {
    shard.isGone = false;
    shard.trunks.flush();
  }

  tell(from: Shard, to: Shard): void {
    from.isGone = false;
    const id = ++this.#count;
    const isTold = from.trunks.tell(to.number, { kind: "fault", to: id, problem: "" });
    if (!isTold) throw new Error("What is no question was not told");
    this.#toldBy(from.number, to.number, from.stored.get(to.number) ?? 0).said.push(id);
  }

  ask(from: Shard, to: Shard): void {
    from.isGone = false;
    const id = ++this.#count;
    const who = { address: id, session: "0".repeat(32), name: "who", instance: "", format: native };
    const asked: Asked = { from, to: to.number, taken: 0, fate: "open" };
    this.questions.set(id, asked);
    const question: Question = { kind: "list", who, frame: { kind: "list", request: from.number, cursor: "" } };
    if (!from.trunks.tell(to.number, question)) asked.fate = "unsent";
  }

  taken(at: Shard, from: number, item: CrossingItem): void {
    if (item.kind === "fault") {
      const told = this.#toldBy(from, at.number, at.stored.get(from) ?? 0);
      if (told.said[told.taken] !== item.to)
        throw new Error(`${item.to} was taken, where ${String(told.said[told.taken])} comes next`);
      told.taken++;
    } else if (item.kind === "list") {
      const { address } = item.who;
      const asked = this.questions.get(address);
      if (asked === undefined || ++asked.taken > 1) throw new Error("A question was taken twice");
      if (asked.fate === "unsent") throw new Error("A question was taken that had not left");
      const { request } = item.frame;
      at.trunks.tell(from, {
        kind: "say",
        to: address,
        frame: { kind: "peers", request, cursor: "", names: [] },
        who: undefined,
      });
    } else if (item.kind === "say") {
      const asked = this.questions.get(item.to);
      if (asked?.fate === "open") asked.fate = "answered";
      else if (asked?.fate !== "forgotten")
        throw new Error(`An answer came to a question that was ${String(asked?.fate)}`);
    }
  }

  broken(at: Shard, of: number, { sent, unsent }: LostQuestions): void {
    for (const [questions, fate] of [
      [sent, "sent"],
      [unsent, "unsent"],
    ] as const)
      for (const { who } of questions) {
        const asked = this.questions.get(who.address);
        if (asked?.fate !== "open" || asked.to !== of || asked.from !== at)
          throw new Error("A question was lost that was not open");
        if (fate === "unsent" && asked.taken > 0) throw new Error("A question was taken that had not left");
        asked.fate = fate;
      }
  }

  #deliver({ to, bytes }: CallUnderWay): Outcome {
    const shard = this.#at(to);
    const answer = decodeAnswer(shard.trunks.receive(bytes));
    this.#flush(shard);
    return answer;
  }

  /** One of the calls that are under way ends in one of many ways. */
  endCall(choice: number): void {
    const [call] = this.calls.splice(choice % Math.max(1, this.calls.length), 1);
    if (call === undefined) return;
    switch (Math.floor(choice / 7) % 6) {
      case 0:
        call.ended("failed");
        break;
      case 1:
        this.#deliver(call);
        call.ended("failed");
        break;
      case 2:
        this.late.push(call);
        call.ended("failed");
        break;
      case 3:
        call.ended(this.#deliver(call));
        this.#deliver(call);
        break;
      default:
        call.ended(this.#deliver(call));
    }
  }

  /** A call arrives long after its caller gave it up. */
  arriveLate(choice: number): void {
    const [call] = this.late.splice(choice % Math.max(1, this.late.length), 1);
    if (call !== undefined) this.#deliver(call);
  }

  /** A timer goes off, whenever that is. */
  fire(shard: Shard): void {
    shard.timers.shift()?.callback();
  }

  /** @returns false if there is no timer */
  #fireFirst(): boolean {
    const [first] = this.shards
      .flatMap(({ timers }) => timers.map((timer) => ({ timer, timers })))
      .sort((one, other) => one.timer.dueMs - other.timer.dueMs);
    if (first === undefined) return false;
    const { timer, timers } = first;
    timers.splice(timers.indexOf(timer), 1);
    this.nowMs = Math.max(this.nowMs, timer.dueMs);
    timer.callback();
    return true;
  }

  /** The object loses its memory, where the runtime would let it: nothing that it waits for. */
  sleep(shard: Shard): void {
    if (shard.isGone) return;
    this.#flush(shard);
    if (shard.timers.length > 0 || this.calls.some(({ from }) => from === shard)) return;
    for (const [, { fate, from }] of this.questions)
      if (fate === "open" && from === shard) throw new Error("A shard sleeps whose questions have no answer");
    this.late = this.late.filter(({ to }) => to !== shard.number);
    shard.trunks = shard.begin();
  }

  /** The object ends with all its links. */
  reset(shard: Shard): void {
    const lost = this.calls.filter(({ to }) => to === shard.number);
    this.calls = this.calls.filter(({ to, from }) => to !== shard.number && from !== shard);
    this.#forgetQuestions(shard);
    shard.trunks = shard.begin();
    shard.trunks.reset();
    shard.isGone = true;
    for (const { ended } of lost) ended("reset");
  }

  #forgetQuestions(shard: Shard): void {
    for (const [, asked] of this.questions) if (asked.fate === "open" && asked.from === shard) asked.fate = "forgotten";
  }

  step(choice: number): void {
    const rest = Math.floor(choice / 16);
    const shard = this.#at(rest);
    const { all } = shard.trunks;
    const other = this.#at(all[Math.floor(rest / this.shards.length) % all.length] ?? 0);
    switch (choice % 16) {
      case 0:
      case 1:
      case 2:
        this.tell(shard, other);
        break;
      case 3:
      case 4:
        this.ask(shard, other);
        break;
      case 5:
      case 6:
        this.fire(shard);
        break;
      case 7:
        this.sleep(shard);
        break;
      case 8:
        if (rest % 4 === 0) this.reset(shard);
        if (rest % 4 === 1) this.grow();
        break;
      case 9:
        this.arriveLate(rest);
        break;
      default:
        this.endCall(rest);
    }
    if (choice % 5 !== 0) for (const each of this.shards) if (!each.isGone) each.trunks.flush();
  }

  /** From now on everything goes well. @param wakes whether the alarms of shards go off, by which they find others that were reset */
  settle(wakes: boolean): void {
    this.late = [];
    for (const shard of this.shards) {
      if (shard.isGone) continue;
      if (wakes) for (const other of shard.stored.keys()) shard.trunks.check(other);
      shard.trunks.flush();
    }
    for (let times = 0; times < 1_000; times++) {
      const [call] = this.calls.splice(0, 1);
      if (call !== undefined) call.ended(this.#deliver(call));
      else if (!this.#fireFirst()) return;
    }
    throw new Error("It does not end");
  }

  checkQuestions(): void {
    for (const [, { fate }] of this.questions) if (fate === "open") throw new Error("A question has no answer");
  }

  /** @param isFound whether alarms have found shards that were reset */
  check(isFound: boolean): void {
    for (const one of this.shards)
      for (const other of this.shards) {
        const number = one.stored.get(other.number);
        if (one === other || number === undefined) continue;
        // Nothing has woken it: it has told nobody, and the other one may never have heard of it.
        if ((one.isGone || other.isGone) && !(isFound && other.stored.has(one.number))) continue;
        if (number !== other.stored.get(one.number)) throw new Error("Two ends of a trunk have different numbers");
        const { said, taken } = this.#toldBy(one.number, other.number, number);
        if (taken !== said.length) throw new Error(`Of ${said.length} things that were told, ${taken} came`);
      }
  }
}

/** Runs a schedule. @throws Error for what must not happen */
export function runTrunks(schedule: readonly number[]): void {
  const world = new World();
  for (const choice of schedule) world.step(choice);
  for (const isFound of [false, true]) {
    world.settle(isFound);
    world.checkQuestions();
    world.check(isFound);
  }
}
