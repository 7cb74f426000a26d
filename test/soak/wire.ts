import type { Socket } from "node:net";

/** How a wire ends: by a reset, or by an end in good order that comes in the middle of everything. */
export type CutKind = "reset" | "end";

export type Way = "up" | "down";

export const ways: readonly Way[] = ["up", "down"];

/** How long a socket may linger that has been ended, while what it was given before is on its way. */
const lingerMs = 2_000;

/** One direction of a wire: what comes from one socket goes to the other. */
class Flow {
  readonly #from: Socket;
  readonly #to: Socket;
  #isStalled = false;
  #isSwallowing = false;
  #isFull = false;
  #leftBytes = Number.POSITIVE_INFINITY;
  #onSpent: () => void = () => undefined;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    from.on("data", (chunk: Uint8Array) => {
      this.#pass(chunk);
    });
    to.on("drain", () => {
      this.#isFull = false;
      this.#flowOrNot();
    });
    // A half that ends goes on as a half that ends, even behind bytes that wait.
    from.on("end", () => to.end());
  }

  stall(isStalled: boolean): void {
    this.#isStalled = isStalled;
    this.#flowOrNot();
  }

  /** From now on, what comes is thrown away. */
  swallow(): void {
    this.#isSwallowing = true;
  }

  /** Passes on so many bytes more, to the byte; then calls back. */
  limit(bytes: number, onSpent: () => void): void {
    this.#leftBytes = bytes;
    this.#onSpent = onSpent;
  }

  #pass(chunk: Uint8Array): void {
    if (this.#isSwallowing) return;
    const part = chunk.subarray(0, this.#leftBytes);
    this.#leftBytes -= part.length;
    if (part.length > 0 && !this.#to.write(part)) this.#isFull = true;
    this.#flowOrNot();
    if (this.#leftBytes > 0) return;
    this.#isSwallowing = true;
    this.#onSpent();
  }

  #flowOrNot(): void {
    if (this.#isStalled || this.#isFull) this.#from.pause();
    else this.#from.resume();
  }
}

/** A TCP connection of a client, and the one to the router that belongs to it. */
export class Wire {
  /** Resolves when both sockets are gone. */
  readonly closed: Promise<unknown>;
  readonly #client: Socket;
  readonly #router: Socket;
  readonly #flows: Readonly<Record<Way, Flow>>;
  #isCut = false;

  constructor(client: Socket, router: Socket) {
    this.#client = client;
    this.#router = router;
    this.#flows = { up: new Flow(client, router), down: new Flow(router, client) };
    const sockets = [client, router];
    for (const socket of sockets) {
      socket.setNoDelay(true);
      // The close that follows says all.
      socket.on("error", () => undefined);
      socket.on("close", (hadError) => {
        const other = socket === client ? router : client;
        if (hadError) other.resetAndDestroy();
        else endSoon(other);
      });
    }
    this.closed = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }

  /** Whether a fault of this one would count: it's up, and no other has ended it. */
  get isWhole(): boolean {
    return !this.#isCut && !this.#router.connecting && !this.#client.destroyed && !this.#router.destroyed;
  }

  cut(kind: CutKind): void {
    this.#isCut = true;
    for (const socket of [this.#client, this.#router]) {
      if (kind === "reset") {
        socket.resetAndDestroy();
        continue;
      }
      // Bytes that still come are dropped: as from a machine that shuts down, while the others go on.
      endSoon(socket);
    }
    for (const way of ways) {
      this.#flows[way].swallow();
      this.#flows[way].stall(false);
    }
  }

  /** Cuts after so many bytes in one direction, in the midst of whatever that hits. */
  cutAfter(bytes: number, way: Way, kind: CutKind, onCut: () => void): void {
    this.#flows[way].limit(bytes, () => {
      if (!this.isWhole) return;
      this.cut(kind);
      onCut();
    });
  }

  stall(way: Way, isStalled: boolean): void {
    this.#flows[way].stall(isStalled);
  }

  swallow(way: Way): void {
    this.#flows[way].swallow();
  }
}

function endSoon(socket: Socket): void {
  if (socket.destroyed) return;
  socket.end();
  setTimeout(() => socket.destroy(), lingerMs).unref();
}
