import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  routerAddress,
  type RouterFrame,
  type RouterFrameOf,
  RouterFrameReader,
  SegmentReader,
  subprotocols,
} from "@messagepasser/protocol";
import { basic } from "../support/credentials.ts";

/** Headers in the order in which they are sent: one may come twice. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

export interface Answer {
  /** 0 where the connection was closed without one. */
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** The outcome of an upgrade. */
export interface Outcome extends Answer {
  /** The client that the router took the attacker for, if it let the attacker in. */
  readonly welcome: RouterFrameOf<"welcome"> | undefined;
  /** How a page was told that it isn't let in. */
  readonly closing: RouterFrameOf<"closing"> | undefined;
}

/** A TCP connection on which requests are written byte by byte: no client library corrects what is wrong with them. */
export class RawHttp implements Disposable {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #isOver = false;
  #wake = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    const wake = (): void => {
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    };
    socket.on("data", (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      wake();
    });
    // Its end is told as a close.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#isOver = true;
      wake();
    });
  }

  /** Settles when the other side has closed the connection. */
  get closed(): Promise<unknown> {
    return this.#isOver ? Promise.resolve() : once(this.#socket, "close");
  }

  /** Writes bytes as they are, such as frames of an upgraded connection. */
  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  static async to(url: URL): Promise<RawHttp> {
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    await once(socket, "connect");
    return new RawHttp(socket);
  }

  /** Writes a request as it is and reads the answer to it. */
  async ask(request: string): Promise<Answer> {
    // So that each byte of the text is one on the wire.
    this.#socket.write(request, "latin1");
    const head = await this.#until((bytes) => {
      const end = bytes.indexOf("\r\n\r\n");
      return end === -1 ? undefined : end + 4;
    });
    if (head === undefined) return { status: 0, headers: new Headers(), body: "" };
    const [statusLine = "", ...lines] = head.toString("latin1").trimEnd().split("\r\n");
    const status = Number(statusLine.split(" ")[1]);
    const headers = new Headers(lines.map((line) => /^([^:]*):\s*(.*)$/.exec(line)?.slice(1) as [string, string]));
    if (status === 101) return { status, headers, body: "" };
    return { status, headers, body: await this.#body(headers) };
  }

  /** The payload of the next WebSocket message; `undefined` where there is none any more. */
  async message(): Promise<Buffer | undefined> {
    const start = await this.#until((bytes) => (bytes.length < 2 ? undefined : 2));
    if (start === undefined) return undefined;
    let [opcode = 0, length = 0] = start;
    if (length === 126)
      length = (await this.#until((bytes) => (bytes.length < 2 ? undefined : 2)))?.readUInt16BE() ?? 0;
    const payload = await this.#until((bytes) => (bytes.length < length ? undefined : length));
    return (opcode & 0x0f) === 8 ? undefined : payload;
  }

  async #body(headers: Headers): Promise<string> {
    if (headers.get("transfer-encoding") === "chunked") {
      const all = await this.#until((bytes) => {
        const end = bytes.indexOf("0\r\n\r\n");
        return end === -1 ? undefined : end + 5;
      });
      return String(all);
    }
    const length = Number(headers.get("content-length") ?? 0);
    return String((await this.#until((bytes) => (bytes.length < length ? undefined : length))) ?? "");
  }

  /** Takes as many bytes as `lengthOf` says, once it does. */
  async #until(lengthOf: (bytes: Buffer) => number | undefined): Promise<Buffer | undefined> {
    for (;;) {
      const length = lengthOf(this.#bytes);
      if (length !== undefined) {
        const taken = this.#bytes.subarray(0, length);
        this.#bytes = this.#bytes.subarray(length);
        return taken;
      }
      if (this.#isOver) return undefined;
      await this.#wake.promise;
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
/** What a page gets that asks for a ticket. */
export async function askForTicket(url: URL, name: string, secret: string, lines: HeaderLines = []): Promise<Answer> {
  using http = await RawHttp.to(url);
  const all: HeaderLines = [["Host", "127.0.0.1"], ["Authorization", basic(name, secret)], ...lines];
  const head = all.map(([header, value]) => `${header}: ${value}\r\n`).join("");
  return await http.ask(`POST /ticket/default HTTP/1.1\r\n${head}Content-Length: 0\r\n\r\n`);
}

/** A ticket, as a page gets it for a valid secret. */
export async function ticketOf(url: URL, name: string, secret: string, lines: HeaderLines = []): Promise<string> {
  const { body } = await askForTicket(url, name, secret, lines);
  return (JSON.parse(body) as { readonly ticket: string }).ticket;
}

/** An upgrade's text. Headers that it needs go before those given. */
export function upgradeText(path: string, lines: HeaderLines): string {
  const all: HeaderLines = [
    ["Host", "127.0.0.1"],
    ["Connection", "Upgrade"],
    ["Upgrade", "websocket"],
    ["Sec-WebSocket-Version", "13"],
    ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
    ...lines,
  ];
  return `GET ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** Tries to get in, and leaves again. */
export async function attempt(url: URL, path: string, lines: HeaderLines): Promise<Outcome> {
  using http = await RawHttp.to(url);
  const answer = await http.ask(upgradeText(path, lines));
  // Other formats than the native one are only offered by those who read no more than the headers.
  const isNative = answer.status === 101 && answer.headers.get("sec-websocket-protocol") === subprotocols.native;
  const first = isNative ? framesIn(await http.message())[0] : undefined;
  return {
    ...answer,
    welcome: first?.kind === "welcome" ? first : undefined,
    closing: first?.kind === "closing" ? first : undefined,
  };
}

/** The offer of the native format, which every honest upgrade has. */
export const offer = ["Sec-WebSocket-Protocol", subprotocols.native] as const;

/** Tries to get in as a program. */
export async function attemptAs(
  url: URL,
  name: string,
  secret: string,
  path = "/connect/default",
  more: HeaderLines = [],
): Promise<Outcome> {
  return await attempt(url, path, [offer, ["Authorization", basic(name, secret)], ...more]);
}

function framesIn(batch: Buffer | undefined): RouterFrame[] {
  const frames: RouterFrame[] = [];
  const segments = new SegmentReader(new Uint8Array(batch ?? []));
  while (segments.next()) {
    if (segments.address !== routerAddress) continue;
    const reader = new RouterFrameReader(segments.bytes, segments.start, segments.end);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  }
  return frames;
}
