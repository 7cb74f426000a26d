// Streams on systems that let a sender run ahead of its receiver without limit: as their users must, the ends count
// credit themselves.
import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { StreamCount } from "./end.ts";

/** With 1 MiB, large messages are slower by a tenth or a fifth: on the relays, and on NATS. */
const windowBytes = 4_194_304;
/** What a message costs besides its payload, so that of small ones no more are under way than arrive in a moment. */
const messageCostBytes = 256;
/** After so much the event loop has its turn: to write out what was gathered, and to hear of credit. */
const turnBytes = 65_536;

/** How a system carries a stream. */
export interface StreamWires {
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Says that the stream is over, after all that was sent. */
  end(): void;
}

/** The sending side: as fast as credit allows. */
export class WindowedSender {
  readonly #wires: StreamWires;
  #outstandingBytes = 0;
  #credited = Promise.withResolvers<undefined>();
  #isStopped = true;
  #sent: Promise<number> = Promise.resolve(0);

  constructor(wires: StreamWires) {
    this.#wires = wires;
  }

  start(messageBytes: number): void {
    this.#isStopped = false;
    this.#sent = this.#pump(Buffer.from(randomBytes(messageBytes)));
  }

  async stop(): Promise<number> {
    this.#isStopped = true;
    this.#credited.resolve(undefined);
    const messages = await this.#sent;
    this.#wires.end();
    return messages;
  }

  /** To be called for each grant of the receiving side. */
  credit(): void {
    this.#outstandingBytes -= windowBytes / 2;
    this.#credited.resolve(undefined);
  }

  async #pump(message: Uint8Array<ArrayBuffer>): Promise<number> {
    const costBytes = message.length + messageCostBytes;
    let messages = 0;
    let thisTurnBytes = 0;
    while (!this.#isStopped) {
      // With less than half a window outstanding no grant might come any more, so then even the largest message goes.
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
    return messages;
  }
}

/** The receiving side: counts, and grants half a window at a time. */
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

  end(): void {
    this.#count.end();
  }
}
