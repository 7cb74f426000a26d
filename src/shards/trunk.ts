import { routerLimits } from "@messagepasser/protocol";
import { type CrossingItem, isQuestion, keyOfAnswer, keyOfQuestion, type Question } from "../routing/crossing-item.ts";
import { type Answer, type Call, encodeCall } from "./call.ts";

/** What a trunk needs of the platform and of its shard. */
export interface TrunkRuntime {
  randomU32(): number;
  /** How many shards the realm has, as this one knows it. */
  shardCount(): number;
  /** Calls back once, later. Until then the object is awake. */
  after(delayMs: number, callback: () => void): void;
  /** Calls the other shard, with bytes that are good until it returns. `ended` must be called once with the outcome, later. */
  call(bytes: Uint8Array, ended: (outcome: Outcome) => void): void;
  /** Stores the trunk's number, before anything that is sent after it. */
  keep(number: number): void;
  /** Carries out an item of the other shard. Never throws. */
  take(item: CrossingItem): void;
  /** All pairs with the other shard end. */
  broken(questions: LostQuestions): void;
  /** Whether all trunks together have room for so many bytes more. */
  hasRoom(bytes: number): boolean;
}

/** How a call ended: with the other shard's answer, with the end of the other shard, or in any other way. */
export type Outcome = Answer | "reset" | "failed";

/** Questions that get no answer any more. */
export interface LostQuestions {
  /** These have not left. */
  readonly unsent: readonly Question[];
  /** These may have arrived. */
  readonly sent: readonly Question[];
}

/** A call that is under way, or waits to be made again. */
interface CallUnderWay {
  readonly seq: number;
  /** The bytes that its items count. */
  readonly itemBytes: number;
  readonly items: readonly CrossingItem[];
  failures: number;
}

/**
 * One shard's end of the trunk to another shard: what it tells the other one, in order, each item once. At most one call is
 * under way; everything else waits and leaves with the next. Where the two may have lost or repeated something, the trunk
 * breaks: its number grows at both ends, all pairs between the two shards end, and their clients resume.
 */
export class Trunk {
  readonly #own: number;
  readonly #runtime: TrunkRuntime;
  readonly #life: number;
  #number: number;
  #seq = 0;
  readonly #queue: CrossingItem[] = [];
  #queuedBytes = 0;
  /** Bytes that wait or are under way, by the principal that sent them. */
  readonly #heldOf = new Map<string, number>();
  #underWay: CallUnderWay | undefined;
  /** Questions without an answer, and whether they have left. */
  readonly #asked = new Map<string, { readonly question: Question; hasLeft: boolean }>();
  /** Whether a timer looks after them. */
  #isAwaiting = false;
  /** Whether the other shard has to be told the number, even if nobody has anything to say. */
  #owesNumber = false;
  #pauseMs: number = routerLimits.firstTrunkPauseMs;
  /** Of a break of this shard's own: until it is over, the other shard is asked nothing. */
  #pause: object | undefined;
  /** The life of the other shard of which the last call came, and the number of that call. */
  #heard: { readonly life: number; seq: number } | undefined;
  readonly #formerLives = new Set<number>();
  /** Whether nothing that was heard since the number grew has been forgotten. */
  #isMemoryWhole: boolean;

  /**
   * @param own the number of this shard
   * @param number the trunk's number as it was stored; `undefined` for a new trunk
   */
  constructor(own: number, number: number | undefined, runtime: TrunkRuntime) {
    this.#own = own;
    this.#runtime = runtime;
    this.#life = runtime.randomU32() * 0x10_0000 + (runtime.randomU32() & 0xf_ffff);
    this.#isMemoryWhole = number === undefined;
    this.#number = number ?? 1;
    if (number === undefined) runtime.keep(this.#number);
  }

  /** Bytes of all that waits or is under way. */
  get heldBytes(): number {
    return this.#queuedBytes + (this.#underWay?.itemBytes ?? 0);
  }

  /** Whether questions get no answer now. */
  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /**
   * Adds an item to what is to be told. A principal may hold half of the room that is left, so that one alone breaks no trunk.
   *
   * @returns false for an item that is dropped; a question is lost then
   */
  push(item: CrossingItem): boolean {
    if (isQuestion(item) && this.isPaused) return false;
    const bytes = costOf(item);
    const payer = payerOf(item);
    if (payer !== undefined) {
      const heldBytes = (this.#heldOf.get(payer) ?? 0) + bytes;
      if (heldBytes > (routerLimits.maxTrunkBytes - this.heldBytes) / 2) return false;
      this.#heldOf.set(payer, heldBytes);
    }
    if (this.heldBytes + bytes > routerLimits.maxTrunkBytes || !this.#runtime.hasRoom(bytes)) {
      this.#breakOff();
      return false;
    }
    this.#queue.push(item);
    this.#queuedBytes += bytes;
    if (isQuestion(item)) {
      this.#asked.set(keyOfQuestion(item), { question: item, hasLeft: false });
      this.#awaitAnswers();
    }
    return true;
  }

  /**
   * While questions have no answer, keeps the object in memory, and finds out whether the other shard still knows them: it
   * may have been reset, and tells nobody until something wakes it.
   */
  #awaitAnswers(): void {
    if (this.#isAwaiting) return;
    this.#isAwaiting = true;
    this.#runtime.after(routerLimits.checkQuestionsEveryMs, () => {
      this.#isAwaiting = false;
      if (this.#asked.size === 0) return;
      this.check();
      this.flush();
      this.#awaitAnswers();
    });
  }

  /** Calls the other shard, unless a call is under way, or nothing waits. */
  flush(): void {
    if (this.#underWay !== undefined || this.#pause !== undefined) return;
    if (this.#queue.length === 0 && !this.#owesNumber) return;
    const items: CrossingItem[] = [];
    let itemBytes = 0;
    for (const item of this.#queue) {
      const bytes = costOf(item);
      if (items.length > 0 && itemBytes + bytes > routerLimits.maxCallBytes) break;
      items.push(item);
      itemBytes += bytes;
      const asked = isQuestion(item) ? this.#asked.get(keyOfQuestion(item)) : undefined;
      if (asked !== undefined) asked.hasLeft = true;
    }
    this.#queue.splice(0, items.length);
    this.#queuedBytes -= itemBytes;
    this.#underWay = { seq: ++this.#seq, itemBytes, items, failures: 0 };
    this.#call(this.#underWay);
  }

  #call(call: CallUnderWay): void {
    const { seq, items } = call;
    const isAgain = call.failures > 0;
    const bytes = encodeCall({
      from: this.#own,
      shards: this.#runtime.shardCount(),
      number: this.#number,
      life: this.#life,
      seq,
      isAgain,
      items,
    });
    this.#runtime.call(bytes, (outcome) => {
      // A break has given it up.
      if (this.#underWay !== call) return;
      if (outcome === "reset") this.#breakOff();
      else if (outcome === "failed" || outcome === 0) this.#failed(call);
      else this.#answered(call, outcome);
      this.flush();
    });
  }

  #answered(call: CallUnderWay, number: number): void {
    if (number === this.#number) {
      this.#underWay = undefined;
      for (const item of call.items) this.#release(item);
      this.#owesNumber = false;
      this.#pauseMs = routerLimits.firstTrunkPauseMs;
    } else if (number < this.#number) this.#breakOff();
    else this.#breakTo(number, call.failures === 0 ? call.items : []);
  }

  #release(item: CrossingItem): void {
    const payer = payerOf(item);
    if (payer === undefined) return;
    const heldBytes = (this.#heldOf.get(payer) ?? 0) - costOf(item);
    if (heldBytes > 0) this.#heldOf.set(payer, heldBytes);
    else this.#heldOf.delete(payer);
  }

  #failed(call: CallUnderWay): void {
    if (++call.failures > routerLimits.maxCallRetries) {
      this.#breakOff();
      return;
    }
    this.#runtime.after(routerLimits.firstCallRetryMs * 2 ** (call.failures - 1), () => {
      if (this.#underWay === call) this.#call(call);
    });
  }

  /** Carries out a call of the other shard. Never throws. @returns the number to answer with */
  receive({ number, life, seq, isAgain, items }: Call): Answer {
    if (number < this.#number) return this.#number;
    if (number > this.#number) this.#breakTo(number);
    if (this.#isNext(life, seq, isAgain)) {
      // The other shard can be reached, and has this number.
      this.#pause = undefined;
      this.#owesNumber = false;
      for (const item of items) {
        const key = keyOfAnswer(item);
        if (key !== undefined) this.#asked.delete(key);
        this.#runtime.take(item);
        // The other shard does not count what it is told meanwhile as heard.
        if (this.#number !== number) break;
      }
    }
    return this.#number;
  }

  /** Whether a call has to be carried out; notes it then. Breaks the trunk where calls may have been lost or repeated. */
  #isNext(life: number, seq: number, isAgain: boolean): boolean {
    const heard = this.#heard;
    if (this.#formerLives.has(life)) return false;
    if (heard?.life === life) {
      // The answer to the call was lost.
      if (seq === heard.seq) return false;
      if (seq !== heard.seq + 1) {
        this.#breakOff();
        return false;
      }
      heard.seq = seq;
      return true;
    }
    // Nothing of that life is remembered. Before this shard slept it may have carried the call out.
    const isUncertain = heard === undefined ? isAgain && !this.#isMemoryWhole : seq !== 1;
    // A late call of a life that was forgotten would be carried out again: so none is, and a new number makes all of them void.
    const hasRoom = heard === undefined || this.#formerLives.size < routerLimits.maxFormerLives;
    if (isUncertain || !hasRoom) {
      this.#breakOff();
      return false;
    }
    if (heard !== undefined) this.#formerLives.add(heard.life);
    this.#heard = { life, seq };
    return true;
  }

  /** Calls the other shard, though nobody has anything to say to it: it answers whether it has lost its links. */
  check(): void {
    this.#owesNumber = true;
  }

  /** This shard was reset: all its links are gone, and with them their pairs. */
  reset(): void {
    this.#raise(this.#number + 1);
    this.#owesNumber = true;
  }

  /** Gives up all pairs with the other shard, and asks it nothing for a while. */
  #breakOff(): void {
    const lost = this.#raise(this.#number + 1);
    this.#owesNumber = true;
    const pause = {};
    this.#pause = pause;
    this.#runtime.after(this.#pauseMs, () => {
      if (this.#pause !== pause) return;
      this.#pause = undefined;
      this.flush();
    });
    this.#pauseMs = Math.min(2 * this.#pauseMs, routerLimits.maxTrunkPauseMs);
    this.#runtime.broken(lost);
  }

  /** The other shard has given up all pairs. @param undone items of a call that it has not carried out */
  #breakTo(number: number, undone: readonly CrossingItem[] = []): void {
    // What was asked in vain is asked again.
    const again = [...undone, ...this.#queue].filter(isQuestion);
    for (const question of again) this.#asked.delete(keyOfQuestion(question));
    const lost = this.#raise(number);
    this.#owesNumber = false;
    this.#pause = undefined;
    this.#runtime.broken(lost);
    for (const question of again) this.push(question);
  }

  #raise(number: number): LostQuestions {
    this.#number = number;
    this.#runtime.keep(number);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#heldOf.clear();
    this.#underWay = undefined;
    this.#heard = undefined;
    this.#formerLives.clear();
    this.#isMemoryWhole = true;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    return {
      unsent: asked.filter(({ hasLeft }) => !hasLeft).map(({ question }) => question),
      sent: asked.filter(({ hasLeft }) => hasLeft).map(({ question }) => question),
    };
  }
}

/** The principal that sent what is in an item; `undefined` for what the router says. */
function payerOf(item: CrossingItem): string | undefined {
  return item.kind === "segment" || item.kind === "open" ? (item.who.grant?.host ?? item.who.name) : undefined;
}

/** About how many bytes an item takes. */
function costOf(item: CrossingItem): number {
  if (item.kind === "segment") return 64 + item.bytes.length;
  return item.kind === "open" ? 512 + item.frame.first.length : 512;
}
