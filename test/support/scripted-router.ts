import {
  type ControlFrame,
  dataFlags,
  encodeBatch,
  limits,
  type PeerFrame,
  PeerFrameReader,
  routerAddress,
  type RouterFrame,
  RouterFrameReader,
  SegmentReader,
} from "@messagepasser/protocol";
import { Client } from "../../client/src/client.ts";
import type { Channel } from "../../client/src/connection/channel.ts";
import type { Platform, SocketEvents } from "../../client/src/link/platform.ts";
import type { SecretSource } from "../../client/src/link/secret.ts";
import { Session } from "../../client/src/session/session.ts";
import type { Status } from "../../client/src/status.ts";

/** A frame from a session to a peer. */
export interface Answer {
  readonly address: number;
  readonly frame: PeerFrame;
}

/** A session whose router, socket, clock and event loop are this: opens come in, and what it says is read from its socket. */
export class ScriptedRouter {
  readonly session: Session;
  /** Opens that the program has yet to decide on. */
  readonly incoming: Channel[] = [];
  /** The frames from the session to the router, without those that measure the way. */
  readonly said: RouterFrame[] = [];
  /** How many messages it sent. */
  batches = 0;
  /** The secret of each dial. */
  readonly secrets: string[] = [];
  onStatus: (status: Status) => void = () => undefined;
  /** `undefined` until the session has dialled. */
  #socket: SocketEvents | undefined;
  #oldSocket: SocketEvents | undefined;
  #answers: Answer[] = [];
  #deferred: (() => void)[] = [];
  #timers: { readonly atMs: number; readonly run: () => void }[] = [];
  #nowMs = 0;

  /** One that has not let the session in yet. */
  constructor(secret: SecretSource = "secret") {
    const platform: Platform = {
      dial: (_, __, credentials, events) => {
        this.secrets.push(credentials.secret);
        this.#socket = events;
        return {
          bufferedBytes: 0,
          send: (message) => {
            this.#hear(message);
          },
          close: () => undefined,
          drop: () => undefined,
        };
      },
      defer: (callback) => void this.#deferred.push(callback),
      clock: {
        now: () => this.#nowMs,
        random: () => 0.5,
        after: (delayMs, run) => {
          const timer = { atMs: this.#nowMs + delayMs, run };
          this.#timers.push(timer);
          return () => {
            this.#timers = this.#timers.filter((other) => other !== timer);
          };
        },
      },
    };
    this.session = new Session(platform, {
      url: new URL("ws://router.example"),
      format: undefined,
      login: { name: "bob", secret },
      who: "the router",
      maxMessageBytes: 100_000,
      graceMs: 1_000,
      onStatus: (status) => {
        this.onStatus(status);
      },
    });
    this.session.onIncoming = (channel) => void this.incoming.push(channel);
  }

  /** One that has let the session in. */
  static async start(): Promise<ScriptedRouter> {
    const router = new ScriptedRouter();
    router.welcome();
    await router.turn();
    return router;
  }

  /** The session's link is lost, or never comes about. */
  loseLink(closeCode = 1006): void {
    this.#oldSocket = this.#socket;
    this.#socket = undefined;
    this.#oldSocket?.onClose({ closeCode, reason: "lost" });
  }

  /** Lets time pass until the session has dialled, and lets it in. */
  restoreLink(): void {
    while (this.#socket === undefined && this.#runNextTimer(Infinity));
    this.welcome();
  }

  /** Frames of the router, or of the peer at an address. */
  say(address: number, ...frames: readonly ControlFrame[]): void {
    this.sends(...frames.map((frame) => encodeBatch(address, frame)));
  }

  /** One message. */
  sends(...batches: readonly Uint8Array[]): void {
    this.#socket?.onMessage(new Uint8Array(Buffer.concat(batches)));
  }

  /** One message on the link before this one. */
  sendsOnOldLink(batch: Uint8Array): void {
    this.#oldSocket?.onMessage(batch);
  }

  /** An open from a peer, whose ids go up. */
  open(peer: number, connection: number, first?: Uint8Array, protocol?: string): void {
    this.sends(openBatch(peer, connection, first, protocol));
  }

  acceptAll(): void {
    for (const channel of this.incoming.splice(0)) channel.accept();
  }

  /** Lets the turn end, and takes what was said to peers. */
  async turn(): Promise<Answer[]> {
    // Microtasks come first.
    await Promise.resolve();
    for (let callback = this.#deferred.shift(); callback !== undefined; callback = this.#deferred.shift()) callback();
    return this.#answers.splice(0);
  }

  /** Lets time pass, and takes what was said to peers. Pings are answered. */
  async advance(ms: number): Promise<Answer[]> {
    const endMs = this.#nowMs + ms;
    const answers: Answer[] = [];
    while (this.#runNextTimer(endMs)) answers.push(...(await this.turn()));
    this.#nowMs = endMs;
    return answers;
  }

  /** Lets the session in. */
  welcome(): void {
    const budget = limits.maxBudgetBytes;
    this.say(routerAddress, { kind: "welcome", session: sessionOf(0), name: "bob", realm: "default", budget });
  }

  /** Returns whether there was one. */
  #runNextTimer(endMs: number): boolean {
    const [next] = this.#timers.filter(({ atMs }) => atMs <= endMs).toSorted((one, other) => one.atMs - other.atMs);
    if (next === undefined) return false;
    this.#timers = this.#timers.filter((timer) => timer !== next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.run();
    return true;
  }

  readonly #answerMeasure = (): void => {
    this.say(routerAddress, { kind: "measured", timeMs: Math.floor(this.#nowMs) });
  };

  #hear(message: Uint8Array | string): void {
    if (typeof message === "string") {
      this.#deferred.push(() => this.#socket?.onMessage("mp:pong"));
      return;
    }
    this.batches++;
    const segments = new SegmentReader(message);
    while (segments.next()) {
      const { address, start, end } = segments;
      if (address === routerAddress) {
        const frames = new RouterFrameReader(message, start, end);
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
          if (frame.kind === "measure") this.#deferred.push(this.#answerMeasure);
          else this.said.push(frame);
        }
      } else {
        const frames = new PeerFrameReader(message, start, end);
        for (let frame = frames.next(); frame !== undefined; frame = frames.next())
          this.#answers.push({ address, frame });
      }
    }
  }
}

/** The client of a session, which ignores what handlers throw. */
export function clientOf({ session }: ScriptedRouter): Client {
  return new Client(session, {
    name: "bob",
    realm: "default",
    session: "",
    instance: "",
    onHandlerError: () => undefined,
  });
}

/** The session of the peer at an address, if it has only one. */
export function sessionOf(peer: number): string {
  return peer.toString(16).padStart(32, "0");
}

/** An open from a peer as the router passes it on. */
export function openBatch(
  peer: number,
  connection: number,
  first: Uint8Array = new Uint8Array(),
  protocol = "p",
): Uint8Array<ArrayBuffer> {
  const stamped = { address: peer, session: sessionOf(peer), peer: `peer-${peer}` };
  return encodeBatch(routerAddress, {
    kind: "open",
    connection,
    ...stamped,
    protocol,
    limit: 100_000,
    metadata: {},
    flags: first.length === 0 ? 0 : dataFlags.last,
    first,
  });
}
