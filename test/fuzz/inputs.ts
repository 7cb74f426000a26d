import { limits, segmentHeaderBytes } from "@messagepasser/protocol";
import type { Format } from "@messagepasser/protocol/formats";
import { gobDefinition } from "../../protocol/src/original/gob.ts";
import { Random } from "../soak/random.ts";
import { type Seed, seedsOf } from "./corpus.ts";
import { joined, mutated } from "./mutate.ts";
import { mutatedJson } from "./mutate-json.ts";
import { builtInPeerAddresses, peers, selfAddress } from "./names.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The inputs of a format: the number and the seed decide each of them. */
export class Inputs {
  readonly #format: Format;
  readonly #seeds: readonly Seed[];

  constructor(format: Format) {
    this.#format = format;
    this.#seeds = seedsOf(format);
  }

  /** The messages of a client, one after the other. */
  at(seed: number, number: number): Uint8Array[] {
    const random = new Random(seed, this.#format.subprotocol, number);
    const count = random.chance(0.8) ? 1 : random.integer(2, 4);
    return Array.from({ length: count }, () => {
      if (this.#format.addressing === "address") return this.#batch(random);
      return renamed(this.#message(random), random);
    });
  }

  #message(random: Random): Uint8Array {
    const { bytes } = random.pick(this.#seeds);
    if (random.chance(0.02)) return this.#many(bytes, random);
    const isJson = this.#format.subprotocol.endsWith("json");
    if (isJson && random.chance(0.6)) {
      const json = mutatedJson(decoder.decode(bytes), random, decoder.decode(random.pick(this.#seeds).bytes));
      if (json !== undefined) return encoder.encode(json);
    }
    // Some as they are, so that what follows finds something to follow.
    return random.chance(0.2) ? bytes : this.#mutated(bytes, random);
  }

  /** The same over and over, in one message: what each of them becomes for others is what counts then. */
  #many(bytes: Uint8Array, random: Random): Uint8Array {
    const { subprotocol } = this.#format;
    const most = this.#format.addressing === "address" ? limits.maxBatchBytes / bytes.length : limits.maxSegments;
    const count = random.logarithmic(1, Math.max(1, Math.floor(most)));
    if (subprotocol === "mp.v1.json")
      return encoder.encode(`[${Array.from({ length: count }, () => decoder.decode(bytes)).join(",")}]`);
    // A type is defined once.
    const start = subprotocol === "mp.v0.gob" ? Math.min(bytes.length, gobDefinition.length) : 0;
    return joined(bytes.subarray(0, start), ...Array.from({ length: count }, () => bytes.subarray(start)));
  }

  #mutated(bytes: Uint8Array, random: Random): Uint8Array {
    return mutated(bytes, random, () => random.pick(this.#seeds).bytes);
  }

  /** A few segments, most of them whole, so that what is in them is looked at. */
  #batch(random: Random): Uint8Array {
    const parts = Array.from({ length: random.logarithmic(1, 4) }, () => {
      const { range, bytes } = random.pick(this.#seeds);
      if (range === "peer" && random.chance(0.04))
        return renamed(segment(addressOf(random), this.#many(bytes, random)), random);
      if (range === "message") return this.#mutated(bytes, random);
      const frames = renamed(random.chance(0.4) ? bytes : this.#mutated(bytes, random), random);
      const isForRouter = range === "router" ? random.chance(0.95) : random.chance(0.05);
      return segment(isForRouter ? 0 : addressOf(random), frames);
    });
    const batch = joined(...parts);
    return random.chance(0.9) ? batch : this.#mutated(batch, random);
  }
}

function addressOf(random: Random): number {
  if (random.chance(0.7)) return random.pick(peers).address;
  return random.chance(0.7) ? random.pick(builtInPeerAddresses) : random.pick([selfAddress, 99, 0xffff_ffff]);
}

function segment(address: number, frames: Uint8Array): Uint8Array {
  const header = new Uint8Array(segmentHeaderBytes);
  const view = new DataView(header.buffer);
  view.setUint32(0, address);
  view.setUint32(4, frames.length);
  return joined(header, frames);
}

/** The same for another peer than the vectors': names of the same length keep all lengths right. */
function renamed(bytes: Uint8Array, random: Random): Uint8Array {
  const [first] = peers;
  const { name } = random.pick(peers);
  const [from, to] = [encoder.encode(first?.name), encoder.encode(name)];
  if (name === first?.name) return bytes;
  const result = bytes.slice();
  const buffer = Buffer.from(result.buffer, result.byteOffset, result.length);
  for (let at = buffer.indexOf(from); at !== -1; at = buffer.indexOf(from, at + from.length)) result.set(to, at);
  return result;
}
