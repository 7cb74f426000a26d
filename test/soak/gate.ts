import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Wire } from "./wire.ts";

/** One client's way to the router, where faults are made: a TCP proxy that knows nothing of what it passes on. */
export class Gate implements AsyncDisposable {
  readonly name: string;
  readonly #server: Server;
  readonly #routerPort: number;
  readonly #wires = new Set<Wire>();
  #isShut = false;

  private constructor(name: string, server: Server, routerPort: number) {
    this.name = name;
    this.#server = server;
    this.#routerPort = routerPort;
    server.on("connection", (client: Socket) => {
      this.#join(client);
    });
  }

  static async open(name: string, routerPort: number): Promise<Gate> {
    const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Gate(name, server, routerPort);
  }

  get url(): string {
    const address = this.#server.address();
    // The gate listens on TCP until it is disposed of.
    if (address === null || typeof address === "string") throw new TypeError("The gate is closed");
    return `ws://127.0.0.1:${address.port}`;
  }

  /** Those that a fault can hit. */
  get wires(): readonly Wire[] {
    return [...this.#wires].filter(({ isWhole }) => isWhole);
  }

  /** While it is shut, nobody gets through anew. */
  shut(isShut: boolean): void {
    this.#isShut = isShut;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const wire of this.#wires) wire.cut("reset");
    await closed;
  }

  #join(client: Socket): void {
    if (this.#isShut) {
      client.resetAndDestroy();
      return;
    }
    const wire = new Wire(client, connect({ port: this.#routerPort, host: "127.0.0.1", allowHalfOpen: true }));
    this.#wires.add(wire);
    void wire.closed.then(() => this.#wires.delete(wire));
  }
}
