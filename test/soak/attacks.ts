// What a client with a good secret and bad intentions does: each attack lasts until it is over, or until the router has
// closed its link.
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import {
  BatchWriter,
  type RouterFrame,
  RouterFrameReader,
  routerAddress,
  SegmentReader,
  subprotocols,
} from "@messagepasser/protocol";
import WebSocket from "ws";
import { openTo, toRouter } from "../support/batches.ts";
import { basic, newSession } from "../support/credentials.ts";
import type { Random } from "./random.ts";

export interface Attacker {
  /** The router's own: it goes by no gate. */
  readonly url: URL;
  readonly name: string;
  readonly secret: string;
  /** Its victims. */
  readonly names: readonly string[];
}

type Attack = (attacker: Attacker, random: Random, over: AbortSignal) => Promise<void>;

/** Bytes of data between two looks at whether it is over. */
const burstBytes = 256 * 1024;

export const attacks = {
  /** Has the router send 1 MB again and again, and reads nothing. */
  readsNothing: async (attacker, _, over) => {
    using link = await dial(attacker);
    link.socket.pause();
    for (let connection = 1; connection <= 20 && !over.aborted; connection++)
      link.socket.send(toRouter(openTo("$source", { connection, protocol: "1024x1000" })));
    await link.untilOver(over);
  },

  /** Sends far more than anybody has allowed, on a Connection that the victim refuses. */
  ignoresCredit: async (attacker, random, over) => {
    using link = await dial(attacker);
    const address = await link.open(random.pick(attacker.names), over);
    if (address === undefined) return;
    const payload = new Uint8Array(16 * 1024);
    const writer = new BatchWriter((batch) => {
      link.socket.send(batch);
    });
    for (let offset = 0; !over.aborted && link.isOpen; await delay(50)) {
      for (const end = offset + burstBytes; offset < end; offset += payload.length + 16)
        writer.data({ address, connection: 0x8000_0001 }, 1, offset, payload);
      writer.flush();
    }
  },

  /** Opens as fast as it can, to everybody, with a protocol that nobody handles. */
  opensToAll: async (attacker, random, over) => {
    using link = await dial(attacker);
    for (let connection = 1; !over.aborted && link.isOpen; await delay(20)) {
      const opens = Array.from({ length: 50 }, () =>
        openTo(random.pick(attacker.names), { connection: connection++, protocol: "attack" }),
      );
      link.socket.send(toRouter(...opens));
    }
  },

  /** Begins messages that never end. */
  neverEnds: async (attacker, random, over) => {
    using link = await dial(attacker);
    const address = await link.open(random.pick(attacker.names), over);
    if (address === undefined) return;
    for (let offset = 0; !over.aborted && link.isOpen; await delay(20)) {
      const payload = new Uint8Array(1_000);
      const writer = new BatchWriter((batch) => {
        link.socket.send(batch);
      });
      writer.data({ address, connection: 0x8000_0001 }, 0, offset, payload);
      writer.flush();
      offset += payload.length + 16;
    }
  },

  /** Asks for sessions that it can't know. */
  guessesSessions: async (attacker, random, over) => {
    using link = await dial(attacker);
    for (; !over.aborted && link.isOpen; await delay(20)) {
      const guesses = Array.from({ length: 20 }, () => ({
        kind: "resume" as const,
        session: newSession(),
        peer: random.pick(attacker.names),
      }));
      link.socket.send(toRouter(...guesses));
    }
  },

  /** Sends what is no batch, and comes back. */
  sendsGarbage: async (attacker, random, over) => {
    while (!over.aborted) {
      using link = await dial(attacker);
      link.socket.send(Uint8Array.from({ length: random.integer(1, 2_000) }, () => random.integer(0, 255)));
      await Promise.race([link.closed, delay(200)]);
    }
  },

  /** Comes and goes. */
  comesAndGoes: async (attacker, _, over) => {
    while (!over.aborted) {
      const links = await Promise.all(Array.from({ length: 5 }, () => dial(attacker)));
      for (const link of links) link[Symbol.dispose]();
      await delay(20);
    }
  },
} as const satisfies Readonly<Record<string, Attack>>;

export type AttackKind = keyof typeof attacks;
// Object.keys knows nothing of the keys' type.
export const attackKinds = Object.keys(attacks) as readonly AttackKind[];

/** Attacks until it is over. A router that refuses the attacker, or is away, has done what it should. */
export async function attack(kind: AttackKind, attacker: Attacker, random: Random, over: AbortSignal): Promise<void> {
  try {
    await attacks[kind](attacker, random, over);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

class Refused extends Error {}

class Link implements Disposable {
  readonly socket: WebSocket;
  readonly closed: Promise<unknown>;
  readonly #frames: RouterFrame[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("message", (message: ArrayBuffer) => {
      const segments = new SegmentReader(new Uint8Array(message));
      while (segments.next()) {
        if (segments.address !== routerAddress) continue;
        const frames = new RouterFrameReader(segments.bytes, segments.start, segments.end);
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) this.#frames.push(frame);
      }
    });
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** The address of a client; `undefined` if there is none in time. */
  async open(peer: string, over: AbortSignal): Promise<number | undefined> {
    this.socket.send(toRouter(openTo(peer, { protocol: "attack", limit: 0 })));
    while (!over.aborted && this.isOpen) {
      for (const frame of this.#frames.splice(0)) {
        if (frame.kind === "routed") return frame.address;
        if (frame.kind === "refused") return undefined;
      }
      await Promise.race([once(this.socket, "message"), this.closed, delay(500)]);
    }
    return undefined;
  }

  async untilOver(over: AbortSignal): Promise<void> {
    await Promise.race([this.closed, once(over, "abort")]);
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

async function dial({ url, name, secret }: Attacker): Promise<Link> {
  const socket = new WebSocket(new URL("/connect/default", url).href, subprotocols.native, {
    headers: { authorization: basic(name, secret) },
    handshakeTimeout: 2_000,
  });
  socket.binaryType = "arraybuffer";
  const link = new Link(socket);
  // Its close is what counts.
  socket.on("error", () => undefined);
  await Promise.race([once(socket, "open"), link.closed]);
  if (!link.isOpen) throw new Refused();
  return link;
}
