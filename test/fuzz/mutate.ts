import type { Random } from "../soak/random.ts";

/** Numbers at whose edges things go wrong. */
const edges = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/** No input gets longer by being changed: the longest that a format takes is a few lines of 4 MiB. */
const maxBytes = 4_500_000;

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

/** The same bytes, changed in a few ways. `other` is what may be spliced in. */
export function mutated(bytes: Uint8Array, random: Random, other: () => Uint8Array): Uint8Array {
  let result = bytes;
  const kinds = Object.keys(mutations);
  for (let times = random.chance(0.6) ? 1 : random.logarithmic(1, 6); times > 0; times--) {
    const mutation = mutations[random.pick(kinds)];
    const next = mutation?.(result, random, other());
    if (next !== undefined && next.length <= maxBytes) result = next;
  }
  return result;
}

const mutations: Readonly<Record<string, Mutation>> = {
  flip(bytes, random) {
    const flipped = bytes.slice();
    const at = where(bytes, random);
    for (let times = random.logarithmic(1, 8); times > 0; times--) {
      if (at + times <= flipped.length)
        flipped[at + times - 1] = (flipped[at + times - 1] ?? 0) ^ (1 << random.integer(0, 7));
    }
    return flipped;
  },
  set(bytes, random) {
    return bytes.length === 0
      ? bytes
      : bytes.with(where(bytes, random), random.pick([...edges, random.integer(0, 255)]));
  },
  cut: (bytes, random) => bytes.slice(0, where(bytes, random)),
  leaveOut(bytes, random) {
    const [start, end] = range(bytes, random);
    return joined(bytes.subarray(0, start), bytes.subarray(end));
  },
  putIn(bytes, random) {
    const at = where(bytes, random);
    const piece = Uint8Array.from({ length: random.logarithmic(1, 20) }, () => random.integer(0, 255));
    return joined(bytes.subarray(0, at), piece, bytes.subarray(at));
  },
  repeat(bytes, random) {
    const [start, end] = range(bytes, random);
    // Now and then as often as fits the longest message.
    const most = random.chance(0.01) ? Math.floor(maxBytes / (end - start + 1)) : 40;
    const times = random.logarithmic(1, Math.max(1, most));
    const piece = bytes.subarray(start, end);
    const repeated = new Uint8Array(piece.length * times);
    for (let time = 0; time < times; time++) repeated.set(piece, time * piece.length);
    return joined(bytes.subarray(0, start), repeated, bytes.subarray(end));
  },
  splice(bytes, random, other) {
    const [start, end] = range(other, random);
    const [from, to] = random.chance(0.5) ? range(bytes, random) : [bytes.length, bytes.length];
    return joined(bytes.subarray(0, from), other.subarray(start, end), bytes.subarray(to));
  },
  /** Lengths and counts, as most formats write them. */
  number(bytes, random) {
    const size = random.pick([1, 2, 3, 4, 8]);
    if (bytes.length < size) return bytes;
    const at = random.integer(0, bytes.length - size);
    const changed = bytes.slice();
    let old = 0;
    for (const byte of bytes.subarray(at, at + size)) old = old * 256 + byte;
    let value = random.chance(0.5) ? random.pick([...edges, 2 ** 53 - 1, 2 ** 53]) : old + random.pick([-2, -1, 1, 2]);
    for (let index = size - 1; index >= 0; index--) {
      changed[at + index] = ((value % 256) + 256) % 256;
      value = Math.floor(value / 256);
    }
    return changed;
  },
  /** The same as Protobuf writes it; a varint's place may be any. */
  varint(bytes, random) {
    const at = where(bytes, random);
    let end = at;
    while (end < bytes.length && (bytes[end] ?? 0) >= 0x80) end++;
    let value = random.pick([...edges, 2 ** 53 - 1, 2 ** 53, (bytes[at] ?? 0) + 1]);
    const digits: number[] = [];
    for (; value >= 0x80; value = Math.floor(value / 0x80)) digits.push((value % 0x80) | 0x80);
    return joined(bytes.subarray(0, at), Uint8Array.of(...digits, value), bytes.subarray(end + 1));
  },
};

function where(bytes: Uint8Array, random: Random): number {
  return random.integer(0, Math.max(0, bytes.length - 1));
}

/** Part of the bytes, most often a short one. */
function range(bytes: Uint8Array, random: Random): [start: number, end: number] {
  const start = where(bytes, random);
  return [start, Math.min(bytes.length, start + random.logarithmic(1, Math.max(1, bytes.length)))];
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
