// Streams on systems that let a sender run ahead of its receiver without limit. The ends count credit themselves, as
// users of these systems have to.
import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Round, SendingEnd, SendStream, StreamCount } from "./end.ts";

/** With 1 MiB, large messages are slower by a tenth or a fifth on the relays and on NATS. */
const windowBytes = 4_194_304;
/** What a message costs besides its payload, so that no more small messages are under way than arrive in a moment. */
const messageCostBytes = 256;
/** After this many bytes the event loop has its turn, to write what was sent and to read what came. */
const turnBytes = 65_536;

/** How a system carries messages. */
export interface Wires {
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Tells the receiver that the stream has ended, after all that was sent. */
  end(): void;
  /** Sends a message that the receiver is to send back. */
  echo(message: Uint8Array): void;
}

/** The sending side: as fast as credit allows. */
export class WindowedSender implements SendingEnd {
  readonly #wires: Wires;
  readonly #batchBytes: number;
  #outstandingBytes = 0;
  #credited = Promise.withResolvers<undefined>();
  #onEcho: () => void = () => undefined;

  /** @param batchBytes smaller messages travel together, as many as fit in this; by default each travels alone. */
  constructor(wires: Wires, batchBytes = 0) {
    this.#wires = wires;
    this.#batchBytes = batchBytes;
  }

  /** Nothing has to be opened on these systems. */
  openStream(): Promise<SendStream> {
    return Promise.resolve((messageBytes, round) => this.#send(messageBytes, round));
  }

  async #send(messageBytes: number, round: Round): Promise<number> {
    const message = Buffer.from(randomBytes(Math.max(1, Math.floor(this.#batchBytes / messageBytes)) * messageBytes));
    const costBytes = message.length + messageCostBytes;
    let messages = 0;
    let thisTurnBytes = 0;
    while (!round.isOver) {
      // The receiver grants half a window at a time, so with less than that outstanding no grant need come any more.
      if (this.#outstandingBytes >= windowBytes / 2 && this.#outstandingBytes + costBytes > windowBytes) {
        this.#credited = Promise.withResolvers();
        await this.#credited.promise;
        continue;
      }
      this.#wires.send(message);
      messages++;
      this.#outstandingBytes += costBytes;
      thisTurnBytes += message.length;
      if (thisTurnBytes < turnBytes) continue;
      thisTurnBytes = 0;
      await nextTurn();
    }
    this.#wires.end();
    return messages;
  }

  /** To be called for each grant of the receiving side. */
  credit(): void {
    this.#outstandingBytes -= windowBytes / 2;
    this.#credited.resolve(undefined);
  }

  roundTrip(message: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#onEcho = resolve;
      this.#wires.echo(message);
    });
  }

  /** To be called for each echo. */
  echoed(): void {
    this.#onEcho();
  }

  async openToFirstByte(message: Uint8Array): Promise<undefined> {
    await this.roundTrip(message);
  }
}

/** The receiving side of one stream: counts, and grants half a window at a time. */
export class WindowedReceiver {
  readonly #count: StreamCount;
  readonly #grant: () => void;
  #uncreditedBytes = 0;

  constructor(count: StreamCount, grant: () => void) {
    this.#count = count;
    this.#grant = grant;
  }

  add(payloadBytes: number): void {
    this.#count.add(payloadBytes);
    this.#uncreditedBytes += payloadBytes + messageCostBytes;
    while (this.#uncreditedBytes >= windowBytes / 2) {
      this.#uncreditedBytes -= windowBytes / 2;
      this.#grant();
    }
  }
}
