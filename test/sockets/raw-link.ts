import { once } from "node:events";
import {
  BatchWriter,
  type ControlFrame,
  type PeerFrame,
  PeerFrameReader,
  routerAddress,
  type RouterFrame,
  RouterFrameReader,
  SegmentReader,
  subprotocols,
} from "@messagepasser/protocol";
import WebSocket from "ws";
import type { Realm } from "./realm.ts";

type Heard = { readonly from: number; readonly frame: RouterFrame | PeerFrame };

export interface RawLinkOptions {
  /** Without one, the router picks one, and the client can't come back in it. */
  readonly session?: string;
  /** Whether it shows the router that it reads, as honest clients do. Default: true. */
  readonly answersMarks?: boolean;
}

/** A client that may break every rule: it speaks frames, not Connections. */
export class RawLink implements AsyncDisposable {
  readonly socket: WebSocket;
  /** How the link ends. */
  readonly closing: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #heard: Heard[] = [];
  #lastRequest = 0;
  #wake = Promise.withResolvers<void>();

  private constructor(socket: WebSocket, answersMarks: boolean) {
    this.socket = socket;
    this.closing = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
      });
    });
    socket.on("message", (data) => {
      const batch = data as Buffer;
      const segments = new SegmentReader(batch);
      while (segments.next()) {
        const Reader = segments.address === routerAddress ? RouterFrameReader : PeerFrameReader;
        const frames = new Reader(batch, segments.start, segments.end);
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
          this.#heard.push({ from: segments.address, frame });
          if (frame.kind === "mark" && answersMarks) {
            this.frame(routerAddress, { kind: "reached", token: frame.token });
          }
        }
      }
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  static async connect(
    realm: Realm,
    name: string,
    { session, answersMarks = true }: RawLinkOptions = {},
  ): Promise<RawLink> {
    const authorization = `Basic ${Buffer.from(`${name}:${await realm.secretOf(name)}`).toString("base64")}`;
    const url = new URL("/connect/default", realm.router.url);
    if (session !== undefined) url.searchParams.set("session", session);
    const socket = new WebSocket(url, subprotocols.native, { headers: { authorization } });
    const link = new RawLink(socket, answersMarks);
    await once(socket, "open");
    await link.hear("welcome");
    return link;
  }

  /** The next frame of one of these kinds; frames before it are dropped. */
  async hear<Kind extends Heard["frame"]["kind"]>(
    ...kinds: readonly Kind[]
  ): Promise<Extract<Heard["frame"], { kind: Kind }> & { from: number }> {
    for (;;) {
      for (let heard = this.#heard.shift(); heard !== undefined; heard = this.#heard.shift()) {
        const { frame, from } = heard;
        // The kind says which of the union it is.
        if (kinds.some((kind) => kind === frame.kind)) return { ...frame, from } as never;
      }
      await this.#wake.promise;
    }
  }

  /** All frames that the router had for this link up to now. */
  async hearAll(): Promise<readonly Heard["frame"][]> {
    // It answers in order.
    const request = ++this.#lastRequest;
    this.frame(routerAddress, { kind: "list", request, cursor: "" });
    const frames: Heard["frame"][] = [];
    for (;;) {
      for (let heard = this.#heard.shift(); heard !== undefined; heard = this.#heard.shift()) {
        if (heard.frame.kind === "peers" && heard.frame.request === request) return frames;
        frames.push(heard.frame);
      }
      await this.#wake.promise;
    }
  }

  frame(address: number, frame: ControlFrame): void {
    this.frames(address, frame);
  }

  /** Sends several frames as one batch. */
  frames(address: number, ...frames: readonly ControlFrame[]): void {
    this.write((writer) => {
      for (const frame of frames) writer.frame(address, frame);
    });
  }

  data(address: number, connection: number, offset: number, flags: number, payload: Uint8Array): void {
    this.write((writer) => {
      writer.data({ address, connection }, flags, offset, payload);
    });
  }

  private write(fill: (writer: BatchWriter) => void): void {
    const writer = new BatchWriter((batch) => {
      this.socket.send(batch);
    });
    fill(writer);
    writer.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    this.socket.terminate();
    await once(this.socket, "close");
  }
}
