// A slow line between a client and a server, in a process of its own: it limits the rate, adds delay, and queues as much
// as the devices of a network do. interactive.ts starts and calls it.
import { connect, createServer, type Socket } from "node:net";
import { answerCalls } from "./answering.ts";

export type LineCalls = typeof calls;

/** One direction of a line. */
export interface LineSpeed {
  /** 0 for no limit. */
  readonly megabitsPerSecond: number;
  readonly delayMs: number;
}

/** A line, as its client sees it. */
export interface LineSpeeds {
  readonly up: LineSpeed;
  readonly down: LineSpeed;
}

/** What a device on the way holds of a direction; the sockets' buffers of both systems come on top of it. */
const bufferBytes = 131_072;
/** Node's shortest timer. */
const tickMs = 1;
/** How long a rate may be exceeded after nothing waited. While something waits, a late timer makes up for all that it missed. */
const catchUpMs = 3;

let speeds: LineSpeeds = { up: { megabitsPerSecond: 0, delayMs: 0 }, down: { megabitsPerSecond: 0, delayMs: 0 } };

/** What one socket sends and another gets, at the speed of now. */
class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #speed: () => LineSpeed;
  /** Waits until the rate allows it. */
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Is under way. */
  readonly #underWay: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
  #allowedBytes = 0;
  /** Whether nothing waited since the last move. */
  #wasIdle = true;
  #lastMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, speed: () => LineSpeed) {
    this.#from = from;
    this.#to = to;
    this.#speed = speed;
    from.on("data", (bytes: Buffer) => {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
      if (this.#waitingBytes >= bufferBytes) from.pause();
      this.#move();
    });
    from.on("close", () => {
      clearTimeout(this.#timer);
      to.destroy();
    });
    from.on("error", () => undefined);
  }

  #move(): void {
    const nowMs = performance.now();
    const { megabitsPerSecond, delayMs } = this.#speed();
    const bytesPerMs = megabitsPerSecond === 0 ? Infinity : megabitsPerSecond * 125;
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const mostBytes = this.#wasIdle ? catchUpMs * bytesPerMs : Infinity;
    this.#allowedBytes = Math.min(this.#allowedBytes + elapsedMs * bytesPerMs, mostBytes);
    let first: Buffer | undefined;
    while (this.#allowedBytes >= 1 && (first = this.#waiting.shift()) !== undefined) {
      const bytes = first.subarray(0, Math.floor(Math.min(this.#allowedBytes, first.length)));
      if (bytes.length < first.length) this.#waiting.unshift(first.subarray(bytes.length));
      this.#allowedBytes -= bytes.length;
      this.#waitingBytes -= bytes.length;
      this.#underWay.push({ bytes, dueMs: nowMs + delayMs });
    }
    this.#wasIdle = this.#waiting.length === 0;
    if (this.#waitingBytes < bufferBytes && this.#from.isPaused()) this.#from.resume();
    while ((this.#underWay[0]?.dueMs ?? Infinity) <= nowMs) this.#to.write(this.#underWay.shift()?.bytes ?? "");
    if (this.#timer !== undefined || (this.#waiting.length === 0 && this.#underWay.length === 0)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#move();
    }, tickMs);
  }
}

const calls = {
  /** Listens for clients of a server, and answers with the port. */
  listen: async ({ host, port }: { readonly host: string; readonly port: number }) => {
    const server = createServer({ noDelay: true }, (client) => {
      const upstream = connect({ host, port, noDelay: true });
      void new Direction(client, upstream, () => speeds.up);
      void new Direction(upstream, client, () => speeds.down);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as { readonly port: number }).port;
  },
  /** Changes the speeds of all connections. */
  set: (wanted: LineSpeeds) => {
    speeds = wanted;
    return Promise.resolve(null);
  },
};

answerCalls(calls);
