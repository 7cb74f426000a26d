// Frames of every kind for property tests, at the edges of their fields more often than chance would have it.
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  type ControlFrame,
  type DataFrame,
  type FieldKind,
  type FrameShape,
  peerFrames,
  routerFrames,
} from "../../protocol/src/frames.ts";
import { limits } from "../../protocol/src/limits.ts";

export type Frame = ControlFrame | DataFrame;

const utf8Bytes = (text: string): number => new TextEncoder().encode(text).length;

/** Any text of at most so many UTF-8 bytes, often with characters of several bytes, sometimes exactly at the limit. */
function textOf(maxBytes: number): fc.Arbitrary<string> {
  const any = fc.string({ unit: "binary", maxLength: Math.floor(maxBytes / 4) });
  const edges = fc.constantFrom("a".repeat(maxBytes), "\u00e9".repeat(Math.floor(maxBytes / 2)), "\ufeff");
  return fc.oneof({ weight: 12, arbitrary: any }, { weight: 1, arbitrary: edges });
}

function mapOf(maxBytes: number): fc.Arbitrary<Record<string, string>> {
  const key = fc.oneof(textOf(64), fc.constantFrom("__proto__", "constructor", "", "7", "07"));
  return fc
    .dictionary(key, textOf(maxBytes / 4), { maxKeys: limits.maxMetadataEntries, noNullPrototype: true })
    .filter((map) => Object.entries(map).reduce((sum, entry) => sum + utf8Bytes(entry.join("")), 0) <= maxBytes);
}

const unsigned = (max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min: 0, max }), fc.constantFrom(0, 1, max));
const offset = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, limits.maxOffset));
// Large payloads are of one byte only: what matters is how they fill batches.
const largePayload = unsigned(limits.maxPayloadBytes).map((size) => new Uint8Array(size).fill(size));
const payload = fc.oneof(
  { weight: 12, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 2, arbitrary: largePayload },
);

/** By kind, so that a kind that is added to the tables has to be added here before this compiles. */
const valueOf: Record<FieldKind, (maxBytes: number) => fc.Arbitrary<unknown>> = {
  u8: () => unsigned(0xff),
  u16: () => unsigned(0xffff),
  u32: () => unsigned(0xffff_ffff),
  u64: () => offset,
  id: () => fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString("hex")),
  text: textOf,
  texts: (maxBytes) => fc.array(textOf(maxBytes), { maxLength: 20 }),
  map: mapOf,
  rest: () => fc.uint8Array({ maxLength: 40 }),
};

/** Any frame of one kind other than data. */
export function frameOf(kind: string, shape: FrameShape): fc.Arbitrary<Frame> {
  const fields = Object.entries(shape.fields).map(([field, spec]) => {
    const [fieldKind, maxBytes] = typeof spec === "string" ? [spec, 0] : spec;
    return [field, valueOf[fieldKind](maxBytes)];
  });
  return fc.record(
    { kind: fc.constant(kind), ...Object.fromEntries(fields) },
    { noNullPrototype: true },
  ) as fc.Arbitrary<Frame>;
}

const connection = fc.oneof(fc.constantFrom(1, 2, 0x8000_0001), unsigned(0xffff_ffff));
/** Any data frame, with its offset. */
export const dataFrame: fc.Arbitrary<DataFrame> = fc.record(
  { kind: fc.constant("data"), connection, last: fc.boolean(), text: fc.boolean(), offset, payload },
  { noNullPrototype: true },
);

/** Frames between a client and the router, by kind. */
export const routerKinds = Object.entries(routerFrames).map(([kind, shape]) => frameOf(kind, shape));
/** Frames between two ends, by kind. */
export const peerKinds = Object.entries(peerFrames).map(([kind, shape]) =>
  kind === "data" ? dataFrame : frameOf(kind, shape),
);

/** Without the difference between a view on a batch and bytes of their own. */
export function plain(frame: Frame | undefined): unknown {
  return Object.fromEntries(
    Object.entries(frame ?? {}).map(([field, value]) => [field, value instanceof Uint8Array ? [...value] : value]),
  );
}
