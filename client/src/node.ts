// The entry for Node. The browser's and workerd's is browser.ts; both export the same.
import "./node-version.ts";
import { Buffer } from "node:buffer";
import { connect as connectTcp, isIP, type Socket, type TcpSocketConnectOpts } from "node:net";
import { connect as connectTls } from "node:tls";
import { limits } from "@messagepasser/protocol";
import WebSocket from "ws";
import type { Client } from "./client.ts";
import { type ConnectOptions, connectOn } from "./connect.ts";
import { type Platform, type SocketEnd, systemClock } from "./link/platform.ts";

export * from "./index.ts";

/**
 * Connects to a router and resolves once it has let the client in.
 *
 * @param url the router's, as in "wss://router.example.com".
 * @throws LinkError with the code `unauthorized`, `unreachable`, `bad-request` or `overloaded`; TypeError for a bad name
 *   or URL; or the signal's reason.
 * @example
 * const client = await connect("wss://router.example.com", { name: "alice", secret });
 * client.handle("greeting", async (connection) => connection.send("hello"));
 */
export function connect(url: string | URL, options: ConnectOptions): Promise<Client> {
  return connectOn(platform, url, options);
}

// Node's own WebSocket moves less than half of what the ws package does.
const platform: Platform = {
  dial(url, subprotocol, { name, secret }, { onMessage, onDrain, onClose }) {
    let end: SocketEnd | undefined;
    const socket = new WebSocket(url, subprotocol, {
      headers: { authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}` },
      perMessageDeflate: false,
      maxPayload: limits.maxBatchBytes,
      ...(isPrivate(url) && { generateMask: noMask }),
      createConnection: (options: object) => connectSocket(url, options),
    });
    // What ws hands out is a Buffer, unless asked for something else. Users get plain Uint8Arrays, whose slice() copies.
    socket.on("message", (data: Buffer, isBinary) => {
      onMessage(isBinary ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data.toString());
    });
    socket.on("unexpected-response", (request, response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body = (body + chunk).slice(0, 4_096)));
      response.on("close", () => {
        const httpStatus = response.statusCode ?? 0;
        const delayMs = 1_000 * (Number(response.headers["retry-after"]) || 0);
        onClose({
          closeCode: 1006,
          httpStatus,
          delayMs,
          reason: detailIn(body) ?? `the router answered ${httpStatus}`,
        });
      });
      request.on("error", () => undefined);
      // Or the process would wait for the router to let go of the socket.
      const connection = response.socket;
      response.on("end", () => connection.destroy());
    });
    // A close follows every error, but knows less.
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
        // Nobody waits for what goes straight to the kernel, as it does where nothing waits before it.
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

/** What is read from a socket at once, at most. Twice as much gained nothing. */
const readBytes = 131_072;

/**
 * Connects as ws would do it, but what arrives is read into one buffer again and again, and copied out of it. Otherwise
 * Node takes 64 KiB of new memory for each read, however little comes, and to collect that takes half of a busy
 * receiver's time.
 *
 * @param options ws's own for this connection.
 */
function connectSocket({ protocol, hostname }: URL, options: object): Socket {
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  const callback = (count: number): boolean => socket.push(Buffer.from(buffer.subarray(0, count)));
  // The path is the request's: a socket would take it for a file's. Nothing says that ws's other options aren't for it.
  const own = { ...options, path: undefined, onread: { buffer, callback } } as unknown as TcpSocketConnectOpts;
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket: Socket =
    protocol === "wss:" ? connectTls({ ...own, servername: isIP(host) === 0 ? host : "" }) : connectTcp(own);
  return socket;
}

/**
 * Masks keep what programs send from looking like HTTP to a proxy on the way (RFC 6455, 10.3). Inside TLS there is nothing
 * to see for one, and within a machine there is none. Masking takes a third of the time that sending does.
 */
function isPrivate({ protocol, hostname }: URL): boolean {
  return protocol === "wss:" || hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

/** A mask of zeros changes nothing, so ws sends the bytes as they are. */
function noMask(mask: Buffer): void {
  mask.fill(0);
}

/** The sentence in a JSON problem (RFC 9457). */
function detailIn(body: string): string | undefined {
  try {
    const problem: unknown = JSON.parse(body);
    return typeof problem === "object" && problem !== null && "detail" in problem ? String(problem.detail) : undefined;
  } catch {
    return undefined;
  }
}
