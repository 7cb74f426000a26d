// Calls between two shards over a WebSocket. Cloudflare bills a message on it as a twentieth of an RPC call, but each of
// the two objects stays in memory while it is open.
import { routerLimits } from "@messagepasser/protocol";
import type { CallsMade } from "../shards/call-rate.ts";
import { decodeAnswer } from "../shards/call.ts";
import type { Outcome } from "../shards/trunk.ts";
import type { UsageKeeper } from "./usage-keeper.ts";

/**
 * The address at which an object takes another shard's calls. Clients can't ask for it: what the Worker sends an object is
 * never a client's own request; see `upgradeRequest`.
 */
export const callsUrl = "https://router.internal/calls";

/** The caller's end. It closes itself when it isn't used. */
export class CallSocket {
  readonly #socket: WebSocket;
  /** Calls without an answer. One that the trunk has given up may be under way besides its latest. */
  readonly #waiting: ((outcome: Outcome) => void)[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #made: CallsMade;
  /** Milliseconds since the last call or answer, in steps of the timer. */
  #quietMs = 0;

  private constructor(socket: WebSocket, usage: UsageKeeper, made: CallsMade) {
    this.#socket = socket;
    this.#made = made;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      this.#quietMs = 0;
      usage.countCall("callMessages");
      this.#waiting.shift()?.(data instanceof ArrayBuffer ? decodeAnswer(new Uint8Array(data)) : "failed");
    });
    for (const end of ["close", "error"] as const)
      socket.addEventListener(end, () => {
        this.#end();
      });
    socket.accept();
    this.#timer = setInterval(() => {
      this.#closeIfQuiet();
    }, routerLimits.callSocketIdleMs);
  }

  /** @returns `undefined` if the object takes no calls so, as one of another version */
  static async open(object: DurableObjectStub, usage: UsageKeeper, made: CallsMade): Promise<CallSocket | undefined> {
    const { webSocket } = await object.fetch(callsUrl, { headers: { upgrade: "websocket" } });
    return webSocket === null ? undefined : new CallSocket(webSocket, usage, made);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  call(bytes: Uint8Array, ended: (outcome: Outcome) => void): void {
    this.#quietMs = 0;
    this.#waiting.push(ended);
    // The runtime may send later what it is given now, and the next call overwrites it.
    this.#socket.send(bytes.slice());
  }

  #closeIfQuiet(): void {
    // Time 0 is that of a call a moment ago.
    const isIdle = this.#waiting.length === 0 && this.#quietMs >= this.#made.mostQuietMs(Date.now());
    if (isIdle || this.#quietMs >= routerLimits.maxCallMs) this.#end();
    this.#quietMs += routerLimits.callSocketIdleMs;
  }

  #end(): void {
    clearInterval(this.#timer);
    if (this.isOpen) this.#socket.close(1000);
    for (const ended of this.#waiting.splice(0)) ended("failed");
  }
}

/** Takes the calls of another shard. @param take carries one out, and returns the answer */
export function takeCallsOverSocket(take: (call: Uint8Array) => Uint8Array): Response {
  const { 0: theirs, 1: socket } = new WebSocketPair();
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => {
    try {
      if (data instanceof ArrayBuffer) socket.send(take(new Uint8Array(data)));
    } catch (error) {
      console.error("Cannot carry out a call of another shard", error);
      // The caller would wait: now it calls again.
      socket.close(1011);
    }
  });
  socket.accept();
  return new Response(null, { status: 101, webSocket: theirs });
}
