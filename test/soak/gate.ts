import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { TlsFront } from "./tls-front.ts";
import { Wire } from "./wire.ts";

export interface GateOptions {
  readonly routerPort: number;
  /** Where the client is to speak TLS, what ends it in front of the router. */
  readonly front?: TlsFront | undefined;
}

/** One client's way to the router, where faults are made: a TCP proxy that knows nothing of what it passes on. */
export class Gate implements AsyncDisposable {
  readonly name: string;
  /** `undefined` where the client doesn't speak TLS. */
  readonly front: TlsFront | undefined;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #wires = new Set<Wire>();
  #isShut = false;
  #answer: string | undefined;

  private constructor(name: string, server: Server, { routerPort, front }: GateOptions) {
    this.name = name;
    this.front = front;
    this.#server = server;
    this.#targetPort = front?.port ?? routerPort;
    server.on("connection", (client: Socket) => {
      this.#join(client);
    });
  }

  static async open(name: string, options: GateOptions): Promise<Gate> {
    const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Gate(name, server, options);
  }

  get url(): string {
    const address = this.#server.address();
    // The gate listens on TCP until it is disposed of.
    if (address === null || typeof address === "string") throw new TypeError("The gate is closed");
    return `${this.front === undefined ? "ws" : "wss"}://127.0.0.1:${address.port}`;
  }

  /** Those that a fault can hit. */
  get wires(): readonly Wire[] {
    return [...this.#wires].filter(({ isWhole }) => isWhole);
  }

  /** While it is shut, nobody gets through anew. */
  shut(isShut: boolean): void {
    this.#isShut = isShut;
  }

  /** From now on whoever comes gets these bytes, and never reaches the router; `undefined` ends that. */
  answerWith(bytes: string | undefined): void {
    this.#answer = bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const wire of this.#wires) wire.cut("reset");
    await closed;
    await this.front?.[Symbol.asyncDispose]();
  }

  #join(client: Socket): void {
    if (this.#isShut) {
      client.resetAndDestroy();
      return;
    }
    const answer = this.#answer;
    if (answer !== undefined) {
      // Its end is told as a close.
      client.on("error", () => undefined);
      // After the request: an answer before it would be no answer to it.
      client.once("data", () => client.end(answer, () => client.destroySoon()));
      return;
    }
    const wire = new Wire(client, connect({ port: this.#targetPort, host: "127.0.0.1", allowHalfOpen: true }));
    this.#wires.add(wire);
    void wire.closed.then(() => this.#wires.delete(wire));
  }
}
