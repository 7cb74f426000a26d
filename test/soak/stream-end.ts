import { setTimeout as delay } from "node:timers/promises";
import { type Connection, ConnectionError, type Message } from "messagepasser";
import type { FailureKind } from "./calls.ts";
import { Journal } from "./journal.ts";
import { messageOf } from "./message.ts";
import { type EndPlan, hasAbort, isWhole, otherRole, type Role, type StreamPlan } from "./plan.ts";
import { Tally } from "./tally.ts";

/** The state that the ends in a process share. */
export interface Surroundings {
  readonly epochMs: number;
  /** Whether pauses are left out, since the run is to end. */
  readonly isHurrying: () => boolean;
  readonly onMessage: (bytes: number) => void;
  readonly onFailure: (end: StreamEnd, what: FailureKind, count: number, detail: string) => void;
}

const abortReason = "the soak wants it so";

/** One end of a stream: sends what the plan says, checks what comes, and ends as planned. */
export class StreamEnd {
  readonly plan: StreamPlan;
  readonly role: Role;
  readonly journal: Journal;
  /** When something came or went last, as `Date.now()` tells. */
  lastProgressMs = Date.now();
  readonly #surroundings: Surroundings;
  readonly #mine: EndPlan;
  readonly #others: EndPlan;
  readonly #tally: Tally;
  #sent = 0;
  #isSending = false;
  #isReading = false;
  #hasFailed = false;

  constructor(plan: StreamPlan, role: Role, surroundings: Surroundings) {
    this.plan = plan;
    this.role = role;
    this.journal = new Journal(surroundings.epochMs);
    this.#surroundings = surroundings;
    this.#mine = plan.ends[role];
    this.#others = plan.ends[otherRole(role)];
    this.#tally = new Tally(this.#others.sends);
  }

  get where(): string {
    const { id, opener, acceptor } = this.plan;
    return `stream ${id} from ${opener} to ${acceptor}, at the ${this.role}`;
  }

  /** How far it is, for people. */
  get state(): string {
    const sending = `sent ${this.#sent} of ${this.#mine.sends.count}${this.#isSending ? ", still at it" : ""}`;
    const reading = `read ${this.#tally.next} of ${this.#others.sends.count}${this.#isReading ? ", still at it" : ""}`;
    return `${sending}; ${reading}; leaves by "${this.#mine.finish}", the other end by "${this.#others.finish}"`;
  }

  /** Something happened that shows that the stream isn't stuck. */
  note(what: string): void {
    this.lastProgressMs = Date.now();
    this.journal.note(what);
  }

  fail(what: FailureKind, count: number, detail: string): void {
    this.#hasFailed = true;
    this.#surroundings.onFailure(this, what, count, detail);
  }

  /** Lives through a Connection. @param firstSeq of the message to send next: 1 where the first went with the open. */
  async run(connection: Connection, firstSeq: number): Promise<void> {
    this.#sent = firstSeq;
    const reading = this.#read(connection);
    const sending = this.#mine.isAnswering ? reading.then(() => this.#send(connection)) : this.#send(connection);
    await Promise.all([reading, sending]);
    if (this.#mine.finish === "close") await this.#attempt("close", () => connection.close());
    this.journal.note("waits for the end");
    const error = await connection.closed;
    this.note(error === undefined ? "ended well" : `ended with ${error.code}`);
    this.#checkEnd(error);
  }

  async #send(connection: Connection): Promise<void> {
    this.#isSending = true;
    await this.#attempt("send", () => this.#sendAll(connection));
    this.#isSending = false;
    const { finish } = this.#mine;
    this.note(`sent ${this.#sent}; next: ${finish}`);
    if (finish === "end") await this.#attempt("end", () => connection.end());
    if (finish === "cut") await this.#attempt("close", () => connection.close());
    if (finish === "abort") connection.abort(abortReason);
  }

  async #sendAll(connection: Connection): Promise<void> {
    const { sends } = this.#mine;
    const underWay: Promise<void>[] = [];
    for (let seq = this.#sent; seq < sends.count; seq++) {
      const sent = connection.send(messageOf(sends, seq)).then(() => {
        this.#sent++;
        this.lastProgressMs = Date.now();
      });
      // A later wait sees it fail.
      sent.catch(() => undefined);
      underWay.push(sent);
      if (underWay.length >= sends.sendsAtOnce) await underWay.shift();
      if (seq === Math.floor(sends.count / 2)) await this.#pause(sends.lullMs);
      await this.#pause(sends.pauseMs);
    }
    await Promise.all(underWay);
  }

  async #read(connection: Connection): Promise<void> {
    this.#isReading = true;
    const isAtEnd = await this.#attempt("receive", async () => {
      for await (const message of connection) {
        this.#take(message);
        await this.#pause(this.#mine.readPauseMs);
      }
    });
    this.#isReading = false;
    this.note(`read ${this.#tally.next}${isAtEnd ? " and the end" : ""}`);
    const finding = isAtEnd && isWhole(this.plan, this.role) ? this.#tally.finish() : undefined;
    if (finding !== undefined) this.fail(finding.what, finding.count, finding.detail);
  }

  #take(message: Message): void {
    this.lastProgressMs = Date.now();
    const finding = this.#tally.take(message);
    if (finding === undefined) this.#surroundings.onMessage(message.length);
    else this.fail(finding.what, finding.count, finding.detail);
  }

  /** Does one thing to the Connection; false where it ended before, as the plan lets it. */
  async #attempt(doing: string, call: () => Promise<void>): Promise<boolean> {
    try {
      await call();
      return true;
    } catch (error) {
      this.note(`${doing}: ${error instanceof ConnectionError ? error.code : String(error)}`);
      // A Connection that ended makes many calls fail, and is told of once.
      if (!this.#isPlanned(error, doing) && !this.#hasFailed) this.fail("lost", 1, `${doing}: ${String(error)}`);
      return false;
    }
  }

  #isPlanned(error: unknown, doing: string): boolean {
    if (!(error instanceof ConnectionError)) return false;
    if (error.code === "aborted") return hasAbort(this.plan);
    if (error.code !== "closed") return false;
    return doing === "receive" ? this.#mine.finish === "cut" : this.#others.finish === "cut";
  }

  #checkEnd(error: ConnectionError | undefined): void {
    if (this.#hasFailed) return;
    if (hasAbort(this.plan)) {
      if (error?.code !== "aborted") this.fail("lost", 1, `closed: expected "aborted", got ${String(error)}`);
    } else if (error !== undefined) {
      this.fail("lost", 1, `closed: ${String(error)}`);
    }
  }

  async #pause(ms: number): Promise<void> {
    const wakeMs = Date.now() + ms;
    // In steps, so that a run that ends waits for nobody.
    for (let leftMs = ms; leftMs > 0 && !this.#surroundings.isHurrying(); leftMs = wakeMs - Date.now())
      await delay(Math.min(leftMs, 200));
    if (ms > 0) this.lastProgressMs = Date.now();
  }
}
