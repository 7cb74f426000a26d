import {
  limits,
  originalLimits,
  type PeerFrame,
  PeerFrameReader,
  ProtocolError,
  segmentHeaderBytes,
  type SegmentReader,
  setU32,
  u32At,
} from "@messagepasser/protocol";
import { type SegmentFormat, uncountedOffset } from "@messagepasser/protocol/formats";
import { type BuiltInPeer, builtInPeerAt, builtInPeerNamed } from "./built-in-peers.ts";
import { calledBy } from "./calling.ts";
import type { Delivery } from "./delivery.ts";
import { framesIn } from "./encoding.ts";
import { arePaired, type Link, type Links, type Sender } from "./link.ts";
import type { Outbound } from "./outbound.ts";
import type { RemoteLink } from "./remote-link.ts";

/** Forwards frames between clients: as they are where both clients have one format, otherwise rewritten. */
export class Forwarding {
  readonly #links: Links;
  readonly #delivery: Delivery;
  readonly #outbound: Outbound;

  constructor(links: Links, delivery: Delivery, outbound: Outbound) {
    this.#links = links;
    this.#delivery = delivery;
    this.#outbound = outbound;
  }

  /** Forwards a segment; false if its address leads nowhere. @throws ProtocolError for frames that must be read but can't be */
  segment(from: Link, format: SegmentFormat, segments: SegmentReader): boolean {
    const { address, bytes, start, end } = segments;
    const to = this.#links.byAddress(address);
    if (to === undefined || !arePaired(from, to)) {
      const builtInPeer = builtInPeerAt(address);
      if (builtInPeer === undefined) return this.#outbound.segment(from, segments);
      this.#ask(builtInPeer, from, framesIn(format.peerFrames(bytes, start, end)));
      return true;
    }
    if (start === end) return true;
    // If this fails, the sender is told that the recipient is gone, since the two are paired.
    if (to.format === format) this.#delivery.send(to, readdressed(segments, from.address), from);
    else this.#carry(to, from, framesIn(format.peerFrames(bytes, start, end)));
    return true;
  }

  /** Forwards a segment of a client of another shard; false if its address leads nowhere. @throws ProtocolError for frames that must be read but can't be */
  segmentFrom(from: RemoteLink, bytes: Uint8Array): boolean {
    const { address, format } = from;
    const to = this.#links.byAddress(u32At(bytes, 0));
    if (to === undefined || !arePaired(from, to)) return false;
    const [start, end] = [segmentHeaderBytes, bytes.length];
    if (format.addressing === "name")
      // It is native but for its sizes: the original's wire has no pieces.
      this.#rewrite(to, from, framesIn(new PeerFrameReader(bytes, start, end, originalLimits.maxMessageBytes)));
    else if (to.format === format) {
      setU32(bytes, 0, address);
      this.#delivery.send(to, bytes, from);
    } else {
      const answers = this.#rewrite(to, from, framesIn(format.peerFrames(bytes, start, end)));
      if (answers.length > 0) this.#outbound.frames(to, address, answers);
    }
    return true;
  }

  /** Forwards frames of a by-name format; false if nobody is called so. */
  frames(from: Link, call: string, frames: readonly PeerFrame[]): boolean {
    const builtInPeer = builtInPeerNamed(call);
    if (builtInPeer !== undefined) {
      this.#ask(builtInPeer, from, frames);
      return true;
    }
    const elsewhere = from.pairs.addressOf(call);
    if (elsewhere !== undefined) {
      this.#outbound.frames(from, elsewhere, frames);
      return true;
    }
    const to = calledBy(this.#links, from, call);
    if (to === undefined) return false;
    this.#carry(to, from, frames);
    return true;
  }

  /** A by-name client returned a mark: the sender of the data before the mark gets credit, if it is still there. */
  credit(from: Link, address: number, frame: PeerFrame): void {
    const to = this.#links.byAddress(address);
    const builtInPeer = builtInPeerAt(address);
    if (to !== undefined && arePaired(from, to)) this.#carry(to, from, [frame]);
    else if (builtInPeer !== undefined) this.#ask(builtInPeer, from, [frame]);
    else if (from.pairs.has(address)) this.#outbound.frames(from, address, [frame]);
  }

  #ask(builtInPeer: BuiltInPeer, from: Link, frames: readonly PeerFrame[]): void {
    checkOffsets(frames);
    this.#delivery.carry(from, builtInPeer, builtInPeer.answer(frames));
  }

  #rewrite(to: Link, from: Sender, frames: readonly PeerFrame[]): readonly PeerFrame[] {
    checkOffsets(frames);
    return this.#delivery.carry(to, from, frames, from);
  }

  #carry(to: Link, from: Link, frames: readonly PeerFrame[]): void {
    const answers = this.#rewrite(to, from, frames);
    // A sender of a by-name format expects no answers of this kind.
    if (from.format.addressing === "address" && answers.length > 0) this.#delivery.carry(from, to, answers);
  }
}

/** The same bytes with the sender's address in place of the recipient's, which is all that the router changes. */
function readdressed({ bytes, headerStart, end }: SegmentReader, address: number): Uint8Array {
  bytes[headerStart] = address >>> 24;
  bytes[headerStart + 1] = address >>> 16;
  bytes[headerStart + 2] = address >>> 8;
  bytes[headerStart + 3] = address;
  // Most batches are one segment, for which a view would cost more than writing the address.
  return end - headerStart === bytes.length ? bytes : bytes.subarray(headerStart, end);
}

/** The largest offset of a frame: the end of the frame and the credit for it must not pass `maxOffset`. */
const largestOffset = limits.maxOffset - limits.maxWindowBytes;

/** Refuses offsets that no Connection reaches, since the router's answers could not be encoded. @throws ProtocolError */
function checkOffsets(frames: readonly PeerFrame[]): void {
  for (const frame of frames) {
    if (frame.kind !== "data" && frame.kind !== "fin") continue;
    const { offset } = frame;
    if (offset !== undefined && offset > largestOffset && !(frame.kind === "fin" && offset === uncountedOffset))
      throw new ProtocolError(`Offset ${offset} is above ${largestOffset}`);
  }
}
