import { once } from "node:events";
import {
  type ControlFrame,
  type DataFrame,
  routerAddress,
  type RouterFrame,
  type PeerFrame,
  type SegmentFormat,
  segmentHeaderBytes,
  SegmentReader,
} from "@messagepasser/protocol";
import WebSocket from "ws";
import { basic } from "./raw-http.ts";
import type { Victims } from "./victims.ts";

type Frame = RouterFrame | PeerFrame;

/** A link of an attacker that sends what it likes, in any format. What it hears is kept in order. */
export class FormatLink<Heard> implements Disposable {
  readonly socket: WebSocket;
  readonly heard: Heard[] = [];
  readonly closed: Promise<number>;
  #wake = Promise.withResolvers<void>();

  private constructor(socket: WebSocket, read: (message: Buffer) => Heard[]) {
    this.socket = socket;
    socket.on("message", (data: Buffer) => {
      this.heard.push(...read(data));
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
    this.closed = new Promise((resolve) => void socket.once("close", resolve));
  }

  static async connect<Heard>(
    victims: Victims,
    name: string,
    subprotocol: string,
    read: (message: Buffer) => Heard[],
  ): Promise<FormatLink<Heard>> {
    const authorization = basic(name, await victims.secretOf(name));
    const socket = new WebSocket(new URL("/connect/default", victims.router.url), subprotocol, {
      headers: { authorization },
    });
    const link = new FormatLink(socket, read);
    await once(socket, "open");
    return link;
  }

  /** Waits until what was heard fits, and returns the first that does. */
  async hear<Fit extends Heard>(fits: (heard: Heard) => heard is Fit): Promise<Fit>;
  async hear(fits: (heard: Heard) => boolean): Promise<Heard>;
  async hear(fits: (heard: Heard) => boolean): Promise<Heard> {
    for (;;) {
      const found = this.heard.find(fits);
      if (found !== undefined) return found;
      await this.#wake.promise;
    }
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

/** The frames of a batch, the router's and peers'. */
export function batchReader(format: SegmentFormat): (message: Buffer) => Frame[] {
  return (message) => {
    const frames: Frame[] = [];
    const segments = new SegmentReader(new Uint8Array(message));
    while (segments.next()) {
      const { address, bytes, start, end } = segments;
      const reader =
        address === routerAddress ? format.routerFrames(bytes, start, end) : format.peerFrames(bytes, start, end);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
    }
    return frames;
  };
}

/** A batch of one frame for each of some addresses. */
export function batchFor(
  format: SegmentFormat,
  addresses: readonly number[],
  frame: ControlFrame | DataFrame,
): Uint8Array {
  const bytes = format.encode(frame);
  return Buffer.concat(
    addresses.map((address) => {
      const header = Buffer.alloc(segmentHeaderBytes);
      header.writeUInt32BE(address);
      header.writeUInt32BE(bytes.length, 4);
      return Buffer.concat([header, bytes]);
    }),
  );
}

/** JSON texts, one or a list or a line each. */
export function jsonReader<Message>(message: Buffer): Message[] {
  return message
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => JSON.parse(line) as Message | Message[]);
}
