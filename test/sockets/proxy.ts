import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** As seen from a client: `up` is to the router. */
export type Direction = "up" | "down";

interface Pipe {
  readonly from: Socket;
  readonly to: Socket;
}

type Way = Readonly<Record<Direction, Pipe>>;

/** A cut that waits until so many bytes have passed. */
interface Fuse {
  readonly direction: Direction;
  bytesLeft: number;
  readonly burnt: (value: undefined) => void;
}

/** The network between a client and its router, and all that can happen to it: a proxy for TCP. */
export class NetworkPath implements AsyncDisposable {
  /** The URL for clients, whatever becomes of the router behind it. */
  readonly url: URL;
  /** How often it was dialled, in vain too. */
  dials = 0;
  readonly #server: Server;
  readonly #ways = new Set<Way>();
  readonly #held = new Set<Direction>();
  #target: URL;
  #isBroken = false;
  #answer: string | undefined;
  #fuse: Fuse | undefined;
  #dialled = Promise.withResolvers<undefined>();

  private constructor(server: Server, target: URL) {
    this.#server = server;
    this.#target = target;
    // A server on a port has an address of this kind.
    this.url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on("connection", (client: Socket) => {
      this.#take(client);
    });
  }

  /** @param target the router's URL. */
  static async to(target: URL): Promise<NetworkPath> {
    const server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new NetworkPath(server, target);
  }

  /** Leads new links elsewhere: a router that was started again has another port. */
  leadTo(target: URL): void {
    this.#target = target;
  }

  /** Ends all that passes here now; who dials again gets through. */
  cut(): void {
    this.#fuse = undefined;
    this.#held.clear();
    for (const way of this.#ways) end(way);
  }

  /** Lets so many more bytes pass in a direction, then cuts, in the middle of whatever that is. Resolves when it has. */
  cutAfter(bytes: number, direction: Direction): Promise<undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#fuse = { direction, bytesLeft: bytes, burnt: resolve };
    return promise;
  }

  /** Cuts, and lets nobody through any more. */
  break(): void {
    this.#isBroken = true;
    this.cut();
  }

  /** Cuts, and answers new sockets with these bytes instead of leading them to the router: a gate on the way. */
  answerWith(bytes: string): void {
    this.#answer = bytes;
    this.cut();
  }

  /** Lets everybody through again. */
  mend(): void {
    this.#isBroken = false;
    this.#answer = undefined;
  }

  /** Lets nothing more through in a direction, for now: it stays where it is, and is lost in a cut. */
  hold(direction: Direction): void {
    this.#held.add(direction);
    for (const way of this.#ways) way[direction].from.pause();
  }

  /** Lets through what was held, and all that comes after. */
  release(): void {
    this.#held.clear();
    for (const { up, down } of this.#ways) for (const { from } of [up, down]) from.resume();
  }

  /** Resolves when somebody dials, from now on. */
  get dialled(): Promise<undefined> {
    return this.#dialled.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.break();
    this.#server.close();
    await once(this.#server, "close");
  }

  #take(client: Socket): void {
    this.dials++;
    this.#dialled.resolve(undefined);
    this.#dialled = Promise.withResolvers();
    // Its end is told as a close.
    client.on("error", () => undefined);
    if (this.#isBroken) {
      client.resetAndDestroy();
      return;
    }
    const answer = this.#answer;
    if (answer !== undefined) {
      // After the request: an answer before it would be no answer to it.
      client.once("data", () => client.end(answer));
      return;
    }
    const router = connect({ host: this.#target.hostname, port: Number(this.#target.port), noDelay: true });
    router.on("error", () => undefined);
    const way: Way = { up: { from: client, to: router }, down: { from: router, to: client } };
    this.#ways.add(way);
    for (const direction of ["up", "down"] as const) {
      const { from } = way[direction];
      from.on("data", (chunk: Buffer) => {
        this.#pass(way, direction, chunk);
      });
      from.on("close", () => {
        this.#ways.delete(way);
        end(way);
      });
      if (this.#held.has(direction)) from.pause();
    }
  }

  #pass(way: Way, direction: Direction, chunk: Buffer): void {
    const { from, to } = way[direction];
    const fuse = this.#fuse?.direction === direction ? this.#fuse : undefined;
    if (fuse !== undefined && chunk.length >= fuse.bytesLeft) {
      this.#fuse = undefined;
      from.pause();
      // A cut at once would take along what has not left yet.
      to.write(chunk.subarray(0, fuse.bytesLeft), () => {
        this.cut();
        fuse.burnt(undefined);
      });
      return;
    }
    if (fuse !== undefined) fuse.bytesLeft -= chunk.length;
    if (to.write(chunk)) return;
    from.pause();
    to.once("drain", () => {
      if (!this.#held.has(direction)) from.resume();
    });
  }
}

function end({ up, down }: Way): void {
  for (const { from } of [up, down]) from.destroy();
}
