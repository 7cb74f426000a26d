import { closeCodes, heartbeat } from "@messagepasser/protocol";
import type { Socket, SocketEnd, SocketEvents } from "../../client/src/link/platform.ts";

/** The request for a WebSocket, with which each wire begins. */
const upgrade = Symbol("upgrade");
type Up = Uint8Array<ArrayBuffer> | string | typeof upgrade | SocketEnd;
type Down = Uint8Array<ArrayBuffer> | string | SocketEnd;

/** The requests of a wire to the router at its other end. */
interface RouterEnd {
  upgrade(wire: Wire): void;
  /** The client is heard of. */
  heard(wire: Wire): void;
  isOpen(wire: Wire): boolean;
  receive(wire: Wire, message: Uint8Array<ArrayBuffer>): void;
  leave(wire: Wire): void;
}

/**
 * One WebSocket between a client and the router. What either sends waits here until the schedule delivers it, and either
 * end may be dead while the other doesn't know.
 */
export class Wire implements Socket {
  readonly name: string;
  readonly session: string;
  readonly instance: string;
  /** Nothing gets through, which neither end notices. */
  isStalled = false;
  /** To the router, in order. */
  readonly up: Up[] = [upgrade];
  /** To the client, in order. */
  readonly down: Down[] = [];
  readonly #events: SocketEvents;
  readonly #router: RouterEnd;
  readonly #onSend: (wire: Wire, message: Uint8Array | string) => void;
  #isRouterGone = false;
  /** The client let go of it; what has come by then may still be told. */
  #isDropped = false;
  /** The client was told that it is over. */
  #isTold = false;

  /** @param onSend hears what the client sends before anything can happen to it. */
  constructor(
    { name, id, instance }: { readonly name: string; readonly id: string; readonly instance: string },
    router: RouterEnd,
    events: SocketEvents,
    onSend: (wire: Wire, message: Uint8Array | string) => void,
  ) {
    this.name = name;
    this.session = id;
    this.instance = instance;
    this.#router = router;
    this.#events = events;
    this.#onSend = onSend;
  }

  /** The client believes that there is a link, or will be. */
  get isUp(): boolean {
    return !this.#isDropped && !this.#isTold;
  }

  /** The router knows all that the client has said, and hears more. */
  get isIdle(): boolean {
    return this.isUp && !this.isStalled && !this.#isRouterGone && this.up.length === 0;
  }

  get bufferedBytes(): number {
    return this.up.reduce((sum, item) => sum + (item instanceof Uint8Array ? item.length : 0), 0);
  }

  send(message: Uint8Array<ArrayBuffer> | string): void {
    if (!this.isUp) return;
    this.#onSend(this, message);
    if (!this.#isRouterGone) this.up.push(message);
  }

  close(code: number, reason: string): void {
    if (code === closeCodes.malformed) throw new Error(`"${this.name}" refused a batch of the router: ${reason}`);
    if (this.isUp) this.up.push({ closeCode: code, reason });
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.up.push({ closeCode: 1006, reason: "" });
  }

  /** The next message gets to the router. */
  deliverUp(): void {
    const item = this.up.shift();
    if (item === undefined || this.#isRouterGone) return;
    if (item === upgrade) this.#router.upgrade(this);
    else if (typeof item === "string") {
      // The runtime answers heartbeats by itself.
      this.#router.heard(this);
      if (this.#router.isOpen(this)) this.down.push(heartbeat.pong);
    } else if (item instanceof Uint8Array) this.#router.receive(this, item);
    else {
      this.#isRouterGone = true;
      this.#router.leave(this);
      this.down.push(item);
    }
    if (this.isUp) this.#events.onDrain();
  }

  /** The next message gets to the client. */
  deliverDown(): void {
    const item = this.down.shift();
    if (item === undefined || this.#isTold) return;
    if (typeof item === "string" || item instanceof Uint8Array) this.#events.onMessage(item);
    else this.#tell(item);
  }

  /** The client is gone, of which the router isn't told. */
  vanish(): void {
    this.#isDropped = this.#isTold = true;
    this.up.length = 0;
    this.down.length = 0;
  }

  /** The client notices that the wire is dead. Of what it sent, the first messages still get through. */
  breakAtClient(survivors: number): void {
    this.up.length = Math.min(this.up.length, survivors);
    this.#tell({ closeCode: 1006, reason: "broken" });
  }

  /** The router notices that the wire is dead. Of what it sent, the first messages still get through. */
  breakAtRouter(survivors: number): void {
    this.up.length = 0;
    this.down.length = Math.min(this.down.length, survivors);
    this.#isRouterGone = true;
    this.#router.leave(this);
  }

  /** The router is dead. What it had sent before gets through, and then the end of the connection. */
  orphan(survivors: number): void {
    this.up.length = 0;
    this.down.length = Math.min(this.down.length, survivors);
    this.#isRouterGone = true;
    this.down.push({ closeCode: 1006, reason: "router gone" });
  }

  toString(): string {
    return `${this.name}/${this.session.slice(0, 2)}`;
  }

  #tell(end: SocketEnd): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.down.length = 0;
    this.#events.onClose(end);
  }
}
