// The entry for Node, Bun and Deno. browser.ts is the one for browsers and workerd; both export the same names.
import "./node-version.ts";
import { Buffer } from "node:buffer";
import { connect as connectTcp, isIP, type Socket, type TcpSocketConnectOpts } from "node:net";
import { connect as connectTls } from "node:tls";
import { closeCodes, limits, type ProblemCode } from "@messagepasser/protocol";
import WebSocket from "ws";
import type { Client } from "./client.ts";
import { type ConnectOptions, connectOn } from "./connect.ts";
import { type Platform, type SocketEnd, systemClock } from "./link/platform.ts";
import { isLoopback } from "./loopback.ts";

export * from "./index.ts";

/**
 * Connects to a router. Resolves once the router has let the client in.
 *
 * @param url the router's address, as in `wss://router.example.com`. Takes `wss:`, `ws:`, `https:` and `http:`.
 * @throws LinkError with a {@link LinkErrorCode}: `unauthorized` if the name or the secret is wrong, `bad-request` if the
 *   router doesn't accept the request, `overloaded` if the router accepts no client now, `unreachable` if nothing answers
 *   in time, or another code with which the router closes links.
 * @throws TypeError if the URL, the name or the realm breaks a rule, or the secret is missing.
 * @throws the signal's reason, if the signal fires first.
 * @example
 * const client = await connect("wss://router.example.com", { name: "alice", secret });
 * client.handle("greeting", async (connection) => connection.send("hello"));
 */
export function connect(url: string | URL, options: ConnectOptions): Promise<Client> {
  return connectOn(platform, url, options);
}

// The ws package has more than twice the throughput of Node's own WebSocket.
const platform: Platform = {
  dial(url, subprotocol, { name, secret }, { onMessage, onDrain, onClose }) {
    let end: SocketEnd | undefined;
    const socket = new WebSocket(url, subprotocol, {
      headers: { authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}` },
      perMessageDeflate: false,
      maxPayload: limits.maxBatchBytes,
      ...(isLoopback(url) && { generateMask: noMask }),
      createConnection: (options: object) => connectSocket(url, options),
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
        const problem = problemIn(response.headers["content-type"], body);
        const { statusCode = 0, statusMessage = "" } = response;
        const delayMs = 1_000 * (Number(response.headers["retry-after"]) || 0);
        const reason = `the server answered "${statusCode} ${statusMessage}", which is no answer of a router`;
        onClose({ closeCode: 1006, reason, delayMs, ...problem });
      });
      request.on("error", () => undefined);
      // Otherwise the process would wait until the router closes the socket.
      const connection = response.socket;
      response.on("end", () => connection.destroy());
    });
    // A close event follows every error, but without its message.
    socket.on("error", (error) => {
      end ??= { closeCode: 1006, reason: error.message };
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
};

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

/** The close codes that pages get for the problems of the router's `/connect`. */
const closeCodesOfProblems = new Map<unknown, number>([
  ["unauthorized", closeCodes.unauthorized],
  ["bad-request", closeCodes.badRequest],
  ["origin-not-allowed", closeCodes.badRequest],
  ["upgrade-required", closeCodes.badRequest],
  ["not-found", closeCodes.badRequest],
  ["too-many-failures", closeCodes.overloaded],
  ["not-configured", closeCodes.overloaded],
  ["restarting", closeCodes.overloaded],
] satisfies [ProblemCode, number][]);

/** The router's problem in an answer to an upgrade (RFC 9457), or `undefined` if the answer is something else's. */
function problemIn(type: string | undefined, body: string): SocketEnd | undefined {
  if (type !== "application/problem+json") return undefined;
  try {
    const { code, detail } = Object(JSON.parse(body)) as { readonly code: unknown; readonly detail: unknown };
    const closeCode = closeCodesOfProblems.get(code);
    return closeCode === undefined ? undefined : { closeCode, reason: String(detail) };
  } catch {
    return undefined;
  }
}
