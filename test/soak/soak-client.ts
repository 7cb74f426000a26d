import { setTimeout as delay } from "node:timers/promises";
import { type Client, connect, type Connection, ConnectionError } from "messagepasser";
import type { ClientDial } from "./calls.ts";
import { Journal } from "./journal.ts";
import { messageOf } from "./message.ts";
import { hasAbort, planOf, protocol, type StreamPlan } from "./plan.ts";
import { Random } from "./random.ts";
import { StreamEnd, type Surroundings } from "./stream-end.ts";

/** Longer than a client may be away, so that no open ends by time where it should have been answered. */
const openTimeoutMs = 180_000;
const connectTimeoutMs = 20_000;

/** The events that a client reports to its process. */
export interface ClientEvents extends Surroundings {
  readonly seed: number;
  readonly names: readonly string[];
  readonly onBegin: (end: StreamEnd) => void;
  readonly onFinish: (end: StreamEnd) => void;
  readonly onHandled: (by: SoakClient, stream: string, attempt: number) => void;
  readonly onReopen: () => void;
  readonly onResumed: () => void;
  /** The client is over for good, or its handler threw: neither may happen. */
  readonly onClientFailure: (client: SoakClient, detail: string) => void;
}

/** One client of the run: opens streams to others all the time, and takes theirs. */
export class SoakClient {
  readonly name: string;
  /** The states of its link, in order. */
  readonly journal: Journal;
  readonly #client: Client;
  readonly #events: ClientEvents;
  #isLeaving = false;
  #isOver = false;
  #opened = 0;

  private constructor(client: Client, events: ClientEvents, journal: Journal) {
    this.#client = client;
    this.#events = events;
    this.name = client.name;
    this.journal = journal;
    client.handle(protocol, (connection) => this.#take(connection));
    void client.closed.then((error) => {
      this.#isOver = true;
      this.journal.note(`closed: ${error?.code ?? "in good order"}`);
      if (!this.#isLeaving) events.onClientFailure(this, `the client is over for good: ${String(error)}`);
    });
  }

  static async connect({ name, secret, url }: ClientDial, events: ClientEvents): Promise<SoakClient> {
    const journal = new Journal(events.epochMs);
    const client = await connect(url, {
      name,
      secret,
      timeoutMs: connectTimeoutMs,
      onStatus: (status) => {
        journal.note(status.kind === "offline" ? `offline: ${status.error.message}` : status.kind);
        if (status.kind === "resumed") events.onResumed();
      },
      onHandlerError: (error) => {
        events.onClientFailure(soakClient, `a handler threw: ${String(error)}`);
      },
    });
    const soakClient = new SoakClient(client, events, journal);
    return soakClient;
  }

  /** Opens one stream after the other, until the run is to end. */
  async openAll(slot: number): Promise<void> {
    const { seed, names, isHurrying } = this.#events;
    const random = new Random(seed, this.name, "slot", slot);
    while (!isHurrying() && !this.#isOver) {
      await this.#openOne(planOf(seed, `${this.name}/${++this.#opened}`, names));
      await delay(random.integer(0, 400));
    }
  }

  async close(): Promise<void> {
    this.#isLeaving = true;
    await this.#client.close();
  }

  async #openOne(plan: StreamPlan): Promise<void> {
    const end = new StreamEnd(plan, "opener", this.#events);
    this.#events.onBegin(end);
    const connection = await this.#open(plan, end);
    if (connection !== undefined) await end.run(connection, plan.hasFirst ? 1 : 0);
    this.#events.onFinish(end);
  }

  /** Opens until it succeeds, since a peer may be away for a moment; `undefined` once that makes no sense any more. */
  async #open(plan: StreamPlan, end: StreamEnd): Promise<Connection | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        const connection = await this.#client.open(plan.acceptor, protocol, {
          metadata: { stream: plan.id, attempt: String(attempt), note: plan.note },
          ...(plan.hasFirst && { first: messageOf(plan.ends.opener.sends, 0) }),
          timeoutMs: openTimeoutMs,
        });
        end.note(`opened at attempt ${attempt}`);
        return connection;
      } catch (error) {
        const what = error instanceof ConnectionError ? error.code : String(error);
        // No progress: one that is never let in is stuck too. And not all of many, or nothing else would be kept.
        if (attempt <= 3 || attempt % 30 === 0) end.journal.note(`open, attempt ${attempt}: ${what}`);
        // It was taken, and aborted as planned; the first word of it was lost with a link, and the last one says all.
        if (error instanceof ConnectionError && error.code === "aborted" && hasAbort(plan)) return undefined;
        if (this.#isOver || !(error instanceof ConnectionError) || !error.shouldRetry()) {
          end.fail("lost", 1, `open: ${String(error)}`);
          return undefined;
        }
        this.#events.onReopen();
        await delay(300);
      }
    }
  }

  async #take(connection: Connection): Promise<void> {
    const { seed, names } = this.#events;
    const { stream = "", attempt = "", note } = connection.metadata;
    const plan = planOf(seed, stream, names);
    const end = new StreamEnd(plan, "acceptor", this.#events);
    this.#events.onBegin(end);
    this.#events.onHandled(this, stream, Number(attempt));
    end.note(`handled, attempt ${attempt}`);
    if (plan.acceptor !== this.name || plan.opener !== connection.peer || note !== plan.note)
      end.fail("lost", 1, `the open of "${stream}" from "${connection.peer}" is damaged, or came to the wrong client`);
    await end.run(connection, 0);
    this.#events.onFinish(end);
  }
}
