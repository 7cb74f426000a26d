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

/** A client that may break every rule: it speaks frames, not Connections. */
export class RawLink implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly #heard: Heard[] = [];
  #wake = Promise.withResolvers<void>();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => {
      const batch = data as Buffer;
      const segments = new SegmentReader(batch);
      while (segments.next()) {
        const Reader = segments.address === routerAddress ? RouterFrameReader : PeerFrameReader;
        const frames = new Reader(batch, segments.start, segments.end);
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
          this.#heard.push({ from: segments.address, frame });
        }
      }
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  static async connect(realm: Realm, name: string): Promise<RawLink> {
    const authorization = `Basic ${Buffer.from(`${name}:${await realm.secretOf(name)}`).toString("base64")}`;
    const socket = new WebSocket(new URL("/connect", realm.router.url), subprotocols.native, {
      headers: { authorization },
    });
    const link = new RawLink(socket);
    await once(socket, "open");
    await link.hear("welcome");
    return link;
  }

  /** The next frame of a kind; frames before it are dropped. */
  async hear<Kind extends Heard["frame"]["kind"]>(
    kind: Kind,
  ): Promise<Extract<Heard["frame"], { kind: Kind }> & { from: number }> {
    for (;;) {
      for (let heard = this.#heard.shift(); heard !== undefined; heard = this.#heard.shift()) {
        // The kind says which of the union it is.
        if (heard.frame.kind === kind) return { ...heard.frame, from: heard.from } as never;
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
      writer.data(address, connection, flags, offset, 0, payload);
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
