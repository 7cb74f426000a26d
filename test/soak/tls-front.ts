import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import { generate } from "selfsigned";

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** The certificates of a run: the one that clients trust, and one of somebody who reads along. */
export interface Certificates {
  readonly own: Certificate;
  readonly foreign: Certificate;
}

export async function makeCertificates(): Promise<Certificates> {
  const [own, foreign] = await Promise.all([makeCertificate(), makeCertificate()]);
  return { own, foreign };
}

async function makeCertificate(): Promise<Certificate> {
  const { private: key, cert } = await generate([{ name: "commonName", value: "soak" }], {
    extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
  });
  return { key, cert };
}

/** Ends TLS in front of the router, as an edge does, with whatever certificate it is told. */
export class TlsFront implements AsyncDisposable {
  readonly #server: Server;
  readonly #certificates: Certificates;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, certificates: Certificates, routerPort: number) {
    this.#server = server;
    this.#certificates = certificates;
    server.on("secureConnection", (client) => {
      const router = connect({ port: routerPort, host: "127.0.0.1", noDelay: true });
      for (const [from, to] of [
        [client, router],
        [router, client],
      ] as const) {
        this.#sockets.add(from);
        from.on("error", () => undefined);
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
  }

  static async open(certificates: Certificates, routerPort: number): Promise<TlsFront> {
    const server = createServer({ ...certificates.own, noDelay: true }).listen(0, "127.0.0.1");
    // A handshake that fails is the client's to tell.
    server.on("tlsClientError", () => undefined);
    await once(server, "listening");
    return new TlsFront(server, certificates, routerPort);
  }

  get port(): number {
    const address = this.#server.address();
    // It listens on TCP until it is disposed of.
    if (address === null || typeof address === "string") throw new TypeError("The front is closed");
    return address.port;
  }

  /** Which certificate those see who come from now on. */
  present(which: keyof Certificates): void {
    this.#server.setSecureContext(this.#certificates[which]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
