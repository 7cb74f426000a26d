import type { Channel } from "../../client/src/connection/channel.ts";
import { Connection } from "../../client/src/connection/connection.ts";
import type { Message } from "../../client/src/connection/message.ts";
import { ConnectionError } from "../../client/src/errors.ts";
import type { Life } from "./life.ts";
import { areEqual, describeMessage, makeMessage } from "./messages.ts";
import type { Protocol } from "./steps.ts";

/** The part of the world that a program sees. */
export interface Watch {
  /** Promises that are not settled. */
  readonly pending: Set<string>;
  note(text: string): void;
  /** Something happened: who waits for quiet waits on. */
  stir(): void;
  /** Something happened that mustn't. */
  fail(problem: string): void;
}

/** One call of a program that opens, which may send an open, and a second one to another session. */
export interface Call {
  readonly to: Aimed;
  readonly calm: Calm | undefined;
  readonly talks: Talk[];
  /** The talk that the program got, or what the call failed with; `undefined` while it is under way. */
  outcome: { readonly talk: Talk | undefined } | undefined;
}

/** Whom an open is for. */
export interface Aimed {
  readonly name: string;
  /** Empty for any. */
  readonly instance: string;
  /** `anySession` for any. */
  readonly session: string;
}

/** A session that takes the protocol of an open, as the router knows, and all others of its name of which the router knows all. */
export interface Calm {
  readonly witness: Life;
  /** With the unrest of each. */
  readonly settled: ReadonlyMap<Life, number>;
}

/** One open, what became of it, and what the model knows of it: all ends that programs have of the Connection. */
export class Talk {
  readonly #watch: Watch;
  readonly id: number;
  readonly opener: End;
  readonly call: Call;
  readonly protocol: Protocol;
  /** The other ends: more than one only if the opener lost its link before it knew who got the open, and sent it again. */
  readonly acceptors: End[] = [];
  /** The session that got the open, once the opener was told. */
  routedTo: string | undefined;
  /** How the open went; `undefined` while it is under way. */
  outcome: { readonly error: ConnectionError | undefined } | undefined;

  constructor(watch: Watch, id: number, call: Call, life: Life, channel: Channel) {
    this.#watch = watch;
    this.id = id;
    this.call = call;
    this.protocol = channel.protocol as Protocol;
    this.opener = new End(watch, this, life, channel, 0);
    call.talks.push(this);
  }

  /** Whether it is the second open of its call. */
  get isSecond(): boolean {
    return this.call.talks.indexOf(this) > 0;
  }

  /** The program at the other end has the Connection in its hands. */
  join(life: Life, channel: Channel): End {
    const end = new End(this.#watch, this, life, channel, this.acceptors.length + 1);
    this.acceptors.push(end);
    return end;
  }

  /** The ends from which an end may get messages. */
  othersOf(end: End): readonly End[] {
    return end === this.opener ? this.acceptors : [this.opener];
  }

  /** The other end that the opener talks with. */
  get acceptor(): End | undefined {
    const session = this.opener.channel.start.home.peer?.session;
    return this.acceptors.find(({ life }) => life.id === session) ?? this.acceptors[0];
  }

  get ends(): readonly End[] {
    return [this.opener, ...this.acceptors];
  }

  toString(): string {
    const { name, instance } = this.call.to;
    return `talk ${this.id} (${this.opener.life.toString()} to ${name}${instance && `:${instance}`}, ${this.protocol})`;
  }
}

/** A program's end of a Connection. What the other end sends is compared with what was sent there as it comes. */
export class End {
  readonly talk: Talk;
  readonly life: Life;
  readonly channel: Channel;
  readonly connection: Connection;
  /** 0 for the opener. */
  readonly number: number;
  readonly sent: Message[] = [];
  /** How many messages came. */
  received = 0;
  /** The other end's last message came, and no more will. */
  hasEndOfMessages = false;
  hasEnded = false;
  hasClosed = false;
  hasAborted = false;
  /** Whether the program waited for all there is. */
  isDraining = false;
  closed: { readonly error: ConnectionError | undefined } | undefined;
  /** Codes of errors that calls have met. */
  readonly failures = new Set<string>();
  readonly #watch: Watch;
  #calls = 0;

  constructor(watch: Watch, talk: Talk, life: Life, channel: Channel, number: number) {
    this.#watch = watch;
    this.talk = talk;
    this.life = life;
    this.channel = channel;
    this.number = number;
    this.connection = new Connection(channel);
    const key = this.#begin("closed");
    void channel.closed.then((error) => {
      this.#settle(key);
      watch.note(`${this.toString()} is closed: ${error === undefined ? "well" : `${error.code}: ${error.message}`}`);
      this.closed = { error };
    });
  }

  /** Whether a program has, or had, the Connection in its hands. */
  get isOpen(): boolean {
    return !this.isOpener || (this.talk.outcome !== undefined && this.talk.outcome.error === undefined);
  }

  /** Whether it can do more with it than to receive what has arrived. */
  get isUsable(): boolean {
    return this.isOpen && this.closed === undefined && !this.hasAborted;
  }

  get isOpener(): boolean {
    return this.number === 0;
  }

  get isWaiting(): boolean {
    return this.channel.isPending;
  }

  send(size: number, isText: boolean): void {
    if (this.hasEnded || this.hasClosed) return;
    const label = `${this.talk.id}${this.isOpener ? ">" : "<"}${this.sent.length}/${this.life.id.slice(0, 2)}`;
    const message = makeMessage(label, size, isText);
    this.sent.push(message);
    this.#watch.note(`${this.toString()} sends ${describeMessage(message)}`);
    this.#call("send", this.connection.send(message));
  }

  /** Waits for a message. With `forAll`, for all until the last. */
  receive(forAll: boolean): void {
    if (forAll && this.isDraining) return;
    this.isDraining ||= forAll;
    const key = this.#begin(forAll ? "receive all" : "receive");
    const take = (): void => {
      this.connection.receive().then(
        (message) => {
          this.#watch.stir();
          this.#check(message);
          if (forAll && message !== undefined) take();
          else this.#settle(key);
        },
        (error: unknown) => {
          this.#settle(key);
          this.#fail(error);
        },
      );
    };
    take();
  }

  end(): void {
    if (this.hasEnded || this.hasClosed) return;
    this.#watch.note(`${this.toString()} ends`);
    this.hasEnded = true;
    this.#call("end", this.connection.end());
  }

  close(): void {
    this.#watch.note(`${this.toString()} closes`);
    this.hasClosed = true;
    this.#call("close", this.connection.close());
  }

  abort(): void {
    // Of a Connection that is done already nothing comes of it.
    if (!this.channel.isDone && !this.channel.isOver) this.hasAborted = true;
    this.#watch.note(`${this.toString()} aborts${this.hasAborted ? "" : " for nothing"}`);
    this.connection.abort("enough");
  }

  toString(): string {
    return `${this.talk.id}${this.isOpener ? ">" : "<".repeat(this.number)}@${this.life.toString()}`;
  }

  #call(what: string, promise: Promise<void>): void {
    const key = this.#begin(what);
    promise.then(
      () => {
        this.#settle(key);
      },
      (error: unknown) => {
        this.#settle(key);
        this.#fail(error);
      },
    );
  }

  #begin(what: string): string {
    const key = `${what} ${++this.#calls} of ${this.toString()}`;
    this.#watch.pending.add(key);
    return key;
  }

  #settle(key: string): void {
    this.#watch.stir();
    this.#watch.pending.delete(key);
  }

  #fail(error: unknown): void {
    if (error instanceof ConnectionError) this.failures.add(error.code);
    else this.#watch.fail(`${this.toString()} met ${String(error)}`);
  }

  /** Exactly what the other end sent next, or nothing after its last. */
  #check(message: Message | undefined): void {
    const others = this.talk.othersOf(this);
    this.#watch.note(`${this.toString()} got ${message === undefined ? "the end" : describeMessage(message)}`);
    if (message === undefined) {
      const isAll = others.some(({ sent, hasEnded, hasClosed }) => {
        return (hasEnded || hasClosed) && sent.length === this.received;
      });
      if (!isAll) this.#watch.fail(`${this.toString()} got the end after ${this.received} messages`);
      this.hasEndOfMessages = true;
      return;
    }
    const at = this.received++;
    const isNext = others.some(({ sent }) => {
      const due = sent[at];
      return due !== undefined && areEqual(due, message);
    });
    if (!isNext) this.#watch.fail(`${this.toString()} got ${describeMessage(message)} as its message ${at}`);
  }
}
