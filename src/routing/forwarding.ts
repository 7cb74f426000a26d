import { limits, type PeerFrame, peerProblem, ProtocolError, type SegmentReader } from "@messagepasser/protocol";
import { type SegmentFormat, uncountedOffset } from "@messagepasser/protocol/formats";
import { type BuiltInPeer, builtInPeerAt, builtInPeerNamed } from "./built-in-peers.ts";
import type { Delivery } from "./delivery.ts";
import { framesIn } from "./encoding.ts";
import { arePaired, type Link, type Links } from "./link.ts";

/** What one client says to another: passed on as it is where both have one format, and written anew where they haven't. */
export class Forwarding {
  readonly #links: Links;
  readonly #delivery: Delivery;

  constructor(links: Links, delivery: Delivery) {
    this.#links = links;
    this.#delivery = delivery;
  }

  /** False where the segment's address leads nowhere. @throws ProtocolError for frames that have to be read and can't be */
  segment(from: Link, format: SegmentFormat, segments: SegmentReader): boolean {
    const { address, bytes, start, end } = segments;
    const to = this.#links.byAddress(address);
    if (to === undefined || !arePaired(from, to)) {
      const builtInPeer = builtInPeerAt(address);
      if (builtInPeer !== undefined) this.#ask(builtInPeer, from, framesIn(format.peerFrames(bytes, start, end)));
      return builtInPeer !== undefined;
    }
    if (start === end) return true;
    // Where it can't be delivered, the sender has been told: the two were paired.
    if (to.format === format) this.#delivery.send(to, readdressed(segments, from.address));
    else this.#carry(to, from, framesIn(format.peerFrames(bytes, start, end)));
    return true;
  }

  /** The same for frames that name whom they are for. */
  frames(from: Link, peer: string, frames: readonly PeerFrame[]): boolean {
    if (peerProblem(peer) !== undefined) return false;
    const builtInPeer = builtInPeerNamed(peer);
    if (builtInPeer !== undefined) {
      this.#ask(builtInPeer, from, frames);
      return true;
    }
    const to = this.#links.byName(peer);
    if (to === undefined || !arePaired(from, to)) return false;
    this.#carry(to, from, frames);
    return true;
  }

  /** A mark came back: who sent what stood before it may send more, if it is still there. */
  credit(from: Link, address: number, frame: PeerFrame): void {
    const to = this.#links.byAddress(address);
    const builtInPeer = builtInPeerAt(address);
    if (to !== undefined && arePaired(from, to)) this.#carry(to, from, [frame]);
    else if (builtInPeer !== undefined) this.#ask(builtInPeer, from, [frame]);
  }

  #ask(builtInPeer: BuiltInPeer, from: Link, frames: readonly PeerFrame[]): void {
    checkOffsets(frames);
    this.#delivery.carry(from, builtInPeer, builtInPeer.answer(frames));
  }

  #carry(to: Link, from: Link, frames: readonly PeerFrame[]): void {
    checkOffsets(frames);
    const answers = this.#delivery.carry(to, from, frames);
    // A sender of a by-name format expects no answers of this kind.
    if (from.format.addressing === "address" && answers.length > 0) this.#delivery.carry(from, to, answers);
  }
}

/** A segment as it goes on: its bytes where they are, with another address in them. All that the router changes. */
function readdressed({ bytes, headerStart, end }: SegmentReader, address: number): Uint8Array {
  bytes[headerStart] = address >>> 24;
  bytes[headerStart + 1] = address >>> 16;
  bytes[headerStart + 2] = address >>> 8;
  bytes[headerStart + 3] = address;
  // Most batches are one segment, and a view would cost more than the address.
  return end - headerStart === bytes.length ? bytes : bytes.subarray(headerStart, end);
}

/** So far from the end of all numbers that what follows a frame, and the credit for it, can still be counted. */
const largestOffset = limits.maxOffset - limits.maxWindowBytes;

/** No honest half gets there, and what the router answers must be readable. @throws ProtocolError */
function checkOffsets(frames: readonly PeerFrame[]): void {
  for (const frame of frames) {
    if (frame.kind !== "data" && frame.kind !== "fin") continue;
    const { offset } = frame;
    if (offset !== undefined && offset > largestOffset && !(frame.kind === "fin" && offset === uncountedOffset))
      throw new ProtocolError(`Offset ${offset}, where no half can be`);
  }
}
