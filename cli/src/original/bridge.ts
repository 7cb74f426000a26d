import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { note } from "../output.ts";
import type { RouterSettings } from "../settings.ts";
import { Failure, reasonOf, statuses } from "../status.ts";
import { ProgramSocket } from "./program-socket.ts";
import { Visit } from "./visit.ts";

/** The address that programs connect to. */
export interface ListenAddress {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** TCP connections at once. Keeps programs that never leave from using up memory and file descriptors. */
const maxPrograms = 1_024;

/** Listens for programs of the original. Each becomes a client of the router. */
export class Bridge {
  readonly address: ListenAddress;
  readonly #server: Server;
  readonly #visits = new Set<Visit>();

  private constructor(server: Server, settings: RouterSettings) {
    this.#server = server;
    // A server on a port has an address of this kind.
    const { address, port } = server.address() as AddressInfo;
    this.address = { host: address, port };
    server.on("connection", (socket) => {
      const visit = new Visit(new ProgramSocket(socket), settings);
      this.#visits.add(visit);
      void visit.done.then(() => this.#visits.delete(visit));
    });
    server.on("drop", () => {
      note(`Refused a program, since ${maxPrograms} are connected`);
    });
  }

  /** @throws Failure if the address can't be listened on. */
  static async listen({ host, port }: ListenAddress, settings: RouterSettings): Promise<Bridge> {
    const server = createServer();
    server.maxConnections = maxPrograms;
    try {
      await once(server.listen(port, host), "listening");
    } catch (cause) {
      throw new Failure(statuses.usage, `Cannot listen on ${hostAndPort({ host, port })}: ${reasonOf(cause)}`, {
        cause,
      });
    }
    return new Bridge(server, settings);
  }

  /** Rejects if the server itself fails, which is rare. */
  get failed(): Promise<never> {
    return once(this.#server, "error").then(([error]) => {
      throw error as Error;
    });
  }

  /** Accepts no more programs, and ends all visits in good order. */
  async stop(): Promise<void> {
    this.#server.close();
    for (const visit of this.#visits) visit.stop();
    await Promise.all(Array.from(this.#visits, (visit) => visit.done));
  }
}

/** As in "127.0.0.1:7000" and "[::1]:7000". */
export function hostAndPort({ host, port }: ListenAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
