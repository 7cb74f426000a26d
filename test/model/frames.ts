import {
  anySession,
  PeerFrameReader,
  routerAddress,
  type RouterFrameOf,
  RouterFrameReader,
  SegmentReader,
} from "@messagepasser/protocol";
import type { SocketEnd } from "../../client/src/link/platform.ts";
import type { Talk } from "./talk.ts";
import type { Wire } from "./wire.ts";

/** The address of an open whose session is the one that must not get it. */
const excludingAddress = 1;

/** The parts of the world that an inspector needs. */
interface Inspected {
  readonly talks: readonly Talk[];
  note(text: string): void;
  fail(problem: string): void;
}

/** Looks into what is sent and delivered: for rules of the wire that nobody else checks, and for the notes. */
export class FrameInspector {
  readonly #world: Inspected;

  constructor(world: Inspected) {
    this.#world = world;
  }

  /** A message of a client. */
  sent(wire: Wire, message: Uint8Array | string): void {
    if (typeof message === "string") return;
    const segments = new SegmentReader(message);
    while (segments.next()) {
      const { address, start, end } = segments;
      if (address === routerAddress) this.#checkOpens(wire, new RouterFrameReader(message, start, end));
      else this.#checkOffsets(wire, new PeerFrameReader(message, start, end));
    }
  }

  /** A message that reaches a client. */
  delivered(wire: Wire, message: Uint8Array): void {
    const segments = new SegmentReader(message);
    while (segments.next()) {
      if (segments.address !== routerAddress || !wire.isUp) continue;
      const frames = new RouterFrameReader(message, segments.start, segments.end);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        if (frame.kind !== "routed") continue;
        const talk = this.#talkOf(wire, frame);
        if (talk !== undefined) talk.routedTo ??= frame.session;
      }
    }
  }

  /** For the notes. */
  note(path: string, item: Uint8Array | string | symbol | SocketEnd | undefined): void {
    if (!(item instanceof Uint8Array)) {
      this.#world.note(`${path}: ${typeof item === "object" ? `closed with ${item.closeCode}` : String(item)}`);
      return;
    }
    const segments = new SegmentReader(item);
    while (segments.next()) {
      const { address, start, end } = segments;
      const Reader = address === routerAddress ? RouterFrameReader : PeerFrameReader;
      const frames = new Reader(item, start, end);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next())
        this.#world.note(`${path}${address === routerAddress ? "" : ` ${address}`}: ${describe(frame)}`);
    }
  }

  /**
   * An open of which is known who got it is for nobody else: no handler runs in two lives. A second one is not for the session
   * that got the first.
   */
  #checkOpens(wire: Wire, frames: RouterFrameReader): void {
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
      if (frame.kind !== "open") continue;
      const talk = this.#talkOf(wire, frame);
      const silent = talk?.isSecond === true ? talk.call.talks[0]?.routedTo : undefined;
      const { session, address } = frame;
      const isRight =
        talk?.routedTo === undefined
          ? silent === undefined || (session === silent && address === excludingAddress)
          : session === talk.routedTo && address === routerAddress;
      if (!isRight)
        this.#world.fail(`${wire.toString()} opens to ${session === anySession ? "any session" : "another session"}`);
    }
  }

  /** Nobody needs to know what came in another segment. */
  #checkOffsets(wire: Wire, frames: PeerFrameReader): void {
    let before: number | undefined;
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
      if (frame.kind !== "data") continue;
      if ((frame.offset === undefined) !== (before === frame.connection))
        this.#world.fail(`${wire.toString()} sends an offset that follows from the frame before, or omits another`);
      before = frame.connection;
    }
  }

  #talkOf(wire: Wire, { connection }: RouterFrameOf<"open" | "routed">): Talk | undefined {
    return this.#world.talks.find(({ opener }) => opener.life.id === wire.session && opener.channel.key === connection);
  }
}

function describe({ kind, ...fields }: { readonly kind: string }): string {
  const texts = Object.entries(fields as Record<string, unknown>).map(([name, value]) => {
    if (value instanceof Uint8Array) return `${name}: ${value.length} bytes`;
    if (typeof value === "string" && /^[0-9a-f]{32}$/.test(value)) return `${name}: ${value.slice(0, 2)}`;
    return `${name}: ${JSON.stringify(value)}`;
  });
  return `${kind} {${texts.join(", ")}}`;
}
