// How a raw link reads each format.
import {
  heartbeat,
  type PeerFrame,
  routerAddress,
  type RouterFrame,
  RouterFrameReader,
  SegmentReader,
} from "@messagepasser/protocol";
import {
  type FrameReader,
  formatOf,
  native,
  type SegmentFormat,
  type WireMessage,
} from "@messagepasser/protocol/formats";
import { encodeGob, gobDefinition, GobReader } from "../../protocol/src/original/gob.ts";
import { batchOf } from "../../src/routing/encoding.ts";
import type { RawLink, RawSocket, Reading } from "./raw-link.ts";

interface TextItem {
  readonly kind: "text";
  readonly text: string;
}

/** A frame of the router's, a peer's segment as it came, or a text, which no batch is. */
export type SegmentItem =
  RouterFrame | TextItem | { readonly kind: "segment"; readonly from: number; readonly bytes: Uint8Array };

/** The same, with the frames in a peer's segment. */
export type FrameItem = RouterFrame | TextItem | (PeerFrame & { readonly from: number });

/** An item of any format: an object of JSON, a line or a value of the original's, or a frame. */
export type AnyItem = Readonly<Record<string, unknown>>;

export type SegmentLink = RawLink<SegmentItem>;
export type FrameLink<Socket extends RawSocket = RawSocket> = RawLink<FrameItem, Socket>;
export type AnyLink<Socket extends RawSocket = RawSocket> = RawLink<AnyItem, Socket>;

/** The native format, where what peers send isn't looked into. */
export const segmentReading: Reading<SegmentItem> = {
  itemsIn: itemsWith<SegmentItem>((batch, { address, start, end }) =>
    address === routerAddress
      ? withoutClock(framesIn(new RouterFrameReader(batch, start, end)))
      : [{ kind: "segment", from: address, bytes: batch.slice(start, end) }],
  ),
  answerToMark: (item) => answerInSegment(native, item),
};

/** A format whose messages are batches. */
export function frameReading(format: SegmentFormat): Reading<FrameItem> {
  return {
    itemsIn: itemsWith<FrameItem>((batch, { address, start, end }) =>
      address === routerAddress
        ? withoutClock(framesIn(format.routerFrames(batch, start, end)))
        : framesIn(format.peerFrames(batch, start, end)).map((frame) => ({ from: address, ...frame })),
    ),
    answerToMark: (item) => answerInSegment(format, item),
  };
}

/** Any format, by its subprotocol. */
export function readingOf(subprotocol: string): Reading<AnyItem> {
  const format = formatOf(subprotocol);
  if (format === undefined) throw new Error(`No format has the subprotocol "${subprotocol}"`);
  // Frames are objects of text and numbers, as are all other items.
  if (format.addressing === "address") return frameReading(format) as unknown as Reading<AnyItem>;
  if (subprotocol === "mp.v1.json")
    return {
      itemsIn: itemsInText,
      answerToMark: ({ type, token }) => (type === "mark" ? JSON.stringify({ type: "reached", token }) : undefined),
    };
  return {
    itemsIn: (message) => (typeof message === "string" ? itemsInText(message) : itemsInGob(message)),
    answerToMark(item) {
      const connectionId = String(item["ConnectionID"]);
      if (item["Meta"] !== 0 || !connectionId.startsWith("$mark:")) return undefined;
      if (subprotocol === "mp.v0.json") return JSON.stringify({ ...item, Meta: 2 });
      // The client's own type is defined by then: nothing is sent to it before it has spoken.
      return encodeGob({ meta: 2, otherClient: "", connectionId, data: new Uint8Array() });
    },
  };
}

/** The router's clock comes before data now and then: it depends on time, and means nothing to what is tested. */
function withoutClock(frames: readonly RouterFrame[]): readonly RouterFrame[] {
  return frames.filter(({ kind }) => kind !== "clock");
}

function itemsWith<Item>(
  read: (batch: Uint8Array, segment: SegmentReader) => readonly Item[],
): (message: WireMessage) => (Item | TextItem)[] {
  return (message) => {
    if (typeof message === "string") return [{ kind: "text", text: message }];
    const segments = new SegmentReader(message);
    const items: Item[] = [];
    while (segments.next()) items.push(...read(message, segments));
    return items;
  };
}

/** All frames of a reader. */
export function framesIn<Frame>(reader: FrameReader<Frame>): Frame[] {
  const frames: Frame[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  return frames;
}

function answerInSegment(format: SegmentFormat, item: SegmentItem | FrameItem): Uint8Array | undefined {
  return item.kind === "mark" ? batchOf(format, routerAddress, [{ kind: "reached", token: item.token }]) : undefined;
}

/** JSON's messages are an object or a list of them; the original's are lines. */
function itemsInText(message: WireMessage): AnyItem[] {
  if (message === heartbeat.pong) return [{ kind: "text", text: message }];
  const lines = String(message).split("\n").filter(Boolean);
  const items: AnyItem[] = [];
  return items.concat(...lines.map((line) => JSON.parse(line) as AnyItem | AnyItem[]));
}

function itemsInGob(bytes: Uint8Array): AnyItem[] {
  // The definition comes once; a reader that knows it already must not get it again.
  const isPreamble = bytes.length === gobDefinition.length && bytes.every((byte, at) => byte === gobDefinition[at]);
  if (isPreamble) return [];
  return Array.from(new GobReader(gobDefinition).read(bytes), ({ meta, otherClient, connectionId, data }) => ({
    Meta: meta,
    OtherClient: otherClient,
    ConnectionID: connectionId,
    Data: [...data],
  }));
}
