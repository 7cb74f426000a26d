// The entry for Node, Bun and Deno. browser.ts is the one for browsers and workerd; both export the same values.
import "./node-version.ts";
import { Buffer } from "node:buffer";
import type { Agent } from "node:http";
import { connect as connectTcp, isIP, type Socket, type TcpSocketConnectOpts } from "node:net";
import { connect as connectTls } from "node:tls";
import { isHeader, limits, networkReason, type NetworkTarget, reservedHeaders } from "@messagepasser/protocol";
import WebSocket from "ws";
import type { Client } from "./client.ts";
import { type ConnectOptions, connectOn } from "./connect.ts";
import { type Platform, type SocketEnd, systemClock } from "./link/platform.ts";
import { refusalIn } from "./link/refusal.ts";
import { isLoopback } from "./loopback.ts";

export * from "./index.ts";

/** What `connect` needs of an agent. Every `http.Agent` of Node has it, and so have those of proxy libraries. */
export interface HttpAgent {
  /** How many sockets the agent opens to one host at most. The client needs one. */
  readonly maxSockets: number;
  /** Closes the sockets that the agent keeps for later. The client never calls it. */
  destroy(): void;
}

/** Options of {@link connect} that only this entry has: browsers and workerd can't do these things. */
export interface NodeConnectOptions extends ConnectOptions {
  /**
   * Headers of the HTTP request that opens each link, for a gate between this program and the router. `authorization` and
   * the headers of WebSockets belong to the client.
   *
   * @defaultValue `{}`
   */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * An `http.Agent` that opens the TCP connection of each link, as proxy libraries have it. It must tunnel: a proxy that
   * takes HTTP apart passes on no WebSocket.
   *
   * @defaultValue a direct connection
   */
  readonly agent?: HttpAgent;
}

/**
 * Connects to a router. Resolves once the router has let the client in.
 *
 * @param url the router's address, as in `wss://router.example.com`. Takes `wss:`, `ws:`, `https:` and `http:`.
 * @throws LinkError with a {@link LinkErrorCode}: `unauthorized` if the name or the secret is wrong, `bad-request` if the
 *   router doesn't accept the request, `overloaded` if the router accepts no client now, `no-secret` if the function for
 *   the secret fails, `unreachable` if nothing answers in time, or another code with which the router closes links.
 * @throws TypeError if the URL, the name or the realm breaks a rule, or the secret is missing, or a header
 *   can't be sent.
 * @throws the signal's reason, if the signal fires first.
 * @example
 * const client = await connect("wss://router.example.com", { name: "alice", secret });
 * client.handle("greeting", async (connection) => connection.send("hello"));
 */
export async function connect(url: string | URL, options: NodeConnectOptions): Promise<Client> {
  const given: Partial<NodeConnectOptions> = options ?? {};
  return await connectOn(platformWith(checkedHeaders(given.headers), checkedAgent(given.agent)), url, options);
}

/** The ws package has more than twice the throughput of Node's own WebSocket. */
const platformWith = (headers: Readonly<Record<string, string>>, agent: Agent | undefined): Platform => ({
  dial(url, subprotocol, { name, secret }, { onMessage, onDrain, onClose }) {
    let end: SocketEnd | undefined;
    const socket = new WebSocket(url, subprotocol, {
      headers: { ...headers, authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}` },
      perMessageDeflate: false,
      maxPayload: limits.maxBatchBytes,
      // An agent may lead through a proxy on another machine, whatever the URL is.
      ...(isLoopback(url) && agent === undefined && { generateMask: noMask }),
      ...(agent === undefined ? { createConnection: (options: object) => connectSocket(url, options) } : { agent }),
    });
    // ws gives Buffers, whose slice() doesn't copy. Users get plain Uint8Arrays, whose slice() does.
    socket.on("message", (data: Buffer, isBinary) => {
      onMessage(isBinary ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data.toString());
    });
    socket.on("unexpected-response", (request, response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body = (body + chunk).slice(0, 4_096)));
      response.on("close", () => {
        const { statusCode, statusMessage } = response;
        onClose(refusalIn(`${statusCode} ${statusMessage}`, (header) => response.headers[header], body));
      });
      request.on("error", () => undefined);
      // Otherwise the process would wait until the router closes the socket.
      const connection = response.socket;
      response.on("end", () => connection.destroy());
    });
    // A close event follows every error, but without its message.
    let wasOpen = false;
    socket.on("open", () => (wasOpen = true));
    socket.on("error", (error) => {
      const reason = wasOpen ? error.message : networkReason(error, targetOf(url, agent));
      end ??= { closeCode: 1006, reason, cause: error };
    });
    socket.on("close", (closeCode, reason) => {
      onClose(end ?? { closeCode, reason: reason.toString() });
    });
    return {
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      send: (message, onTaken) => {
        // With an empty buffer the bytes go straight to the kernel, and no callback is needed.
        if (onTaken === undefined && socket.bufferedAmount === 0) socket.send(message);
        else
          socket.send(message, () => {
            onTaken?.();
            onDrain();
          });
      },
      close: (code, reason) => {
        socket.close(code, reason);
      },
      drop: () => {
        socket.terminate();
      },
    };
  },
  defer: setImmediate,
  clock: systemClock,
});

function targetOf({ hostname, port, protocol }: URL, agent: Agent | undefined): NetworkTarget {
  const where = { host: hostname, port: port || (protocol === "wss:" ? 443 : 80) };
  return agent === undefined ? where : { ...where, who: "the proxy or the router" };
}

/** @throws TypeError for headers that can't be sent, or that the client sets itself. */
function checkedHeaders(headers: unknown = {}): Readonly<Record<string, string>> {
  if (typeof headers !== "object" || headers === null || Symbol.iterator in headers)
    throw new TypeError("Cannot connect: headers must be an object with a string for each header");
  for (const [name, value] of Object.entries(headers)) {
    if (reservedHeaders.test(name))
      throw new TypeError(`Cannot connect: headers must not have "${name}", which the client sets itself`);
    // A value may be a secret, so no error quotes it.
    if (!isHeader(name, value))
      throw new TypeError(`Cannot connect: HTTP can't carry the header ${JSON.stringify(name)} with its value`);
  }
  // Every value was found to be a string.
  return headers as Readonly<Record<string, string>>;
}

/** @throws TypeError for anything but an `http.Agent`. */
function checkedAgent(agent: HttpAgent | undefined): Agent | undefined {
  if (agent === undefined) return undefined;
  if (typeof Object(agent).addRequest !== "function")
    throw new TypeError("Cannot connect: agent must be an http.Agent");
  // Node's declarations lack the method by which its requests use an agent.
  return agent as Agent;
}

/** The most bytes that are read from a socket at once. Twice as many gained nothing. */
const readBytes = 131_072;

/**
 * Connects as ws does, but reads into one buffer that is reused, and copies out of it. By default Node allocates 64 KiB
 * for each read, however little arrives; collecting that garbage took half of a busy receiver's time.
 *
 * @param options those that ws would connect with.
 */
function connectSocket({ protocol, hostname }: URL, options: object): Socket {
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  const callback = (count: number): boolean => socket.push(Buffer.from(buffer.subarray(0, count)));
  // `path` is that of the HTTP request; net.connect would take it for a Unix socket.
  const own = { ...options, path: undefined, onread: { buffer, callback } } as unknown as TcpSocketConnectOpts;
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket: Socket =
    protocol === "wss:" ? connectTls({ ...own, servername: isIP(host) === 0 ? host : "" }) : connectTcp(own);
  return socket;
}

/**
 * Sends bytes unmasked, by a mask of zeros. Masks prevent a program's bytes from looking like HTTP to a proxy (RFC 6455,
 * section 10.3), and no proxy is in between within one machine. There, masking took a third of a sender's time.
 */
function noMask(mask: Buffer): void {
  mask.fill(0);
}
