import type { FramePlan } from "../codec.ts";
import type { DataFrame, FieldKind } from "../frames.ts";
import { toHex } from "../hex.ts";
import { limits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import { utf8Length } from "../utf8.ts";

/** The fields of a data frame, as decoded and not yet checked. */
export type LooseData = { readonly [Field in Exclude<keyof DataFrame, "kind">]: unknown };

/**
 * Makes a frame of decoded fields, by the rules of the native format. The fields are in the order of the frame's table.
 * `at` is where the frame begins. @throws ProtocolError
 */
export function validFrame(plan: FramePlan, values: readonly unknown[], at: number): object {
  checkCount(plan.kind, values.length, plan.fields.length, at);
  const frame: Record<string, unknown> = { kind: plan.kind };
  plan.fields.forEach(({ field, kind, maxBytes }, index) => {
    frame[field] = checks[kind](values[index], at, maxBytes);
  });
  return frame;
}

/** The same for a data frame, whose flags each format encodes in its own way. @throws ProtocolError */
export function validData({ connection, last, text, offset, payload }: LooseData, at: number): DataFrame {
  const bytes = bytesOf(payload, at);
  if (bytes.length > limits.maxPayloadBytes)
    throw new ProtocolError(`Payload of ${bytes.length} bytes, at most ${limits.maxPayloadBytes} allowed,`, at);
  return {
    kind: "data",
    connection: unsigned(connection, 0xffff_ffff, at),
    last: last === true,
    text: text === true,
    offset: offset === undefined ? undefined : offsetOf(offset, at),
    payload: bytes,
  };
}

/** @throws ProtocolError for a frame with too few or too many fields */
export function checkCount(kind: string, count: number, expected: number, at: number): void {
  if (count !== expected) throw new ProtocolError(`Frame "${kind}" with ${count} fields, ${expected} expected,`, at);
}

const checks: Record<FieldKind, (value: unknown, at: number, maxBytes: number) => unknown> = {
  u8: (value, at) => unsigned(value, 0xff, at),
  u16: (value, at) => unsigned(value, 0xffff, at),
  u32: (value, at) => unsigned(value, 0xffff_ffff, at),
  u64: offsetOf,
  id: idOf,
  text: textOf,
  texts: textsOf,
  map: mapOf,
  rest: bytesOf,
};

/** A whole number from 0 to `max`. @throws ProtocolError */
export function unsigned(value: unknown, max: number, at: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
    throw new ProtocolError("Field that is not a number", at);
  if (value > max) throw new ProtocolError(`Number ${value}, at most ${max} allowed,`, at);
  return value;
}

function offsetOf(value: unknown, at: number): number {
  // A bigint that a double can't hold becomes another number, which is too large as well.
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number" && number > limits.maxOffset) throw new ProtocolError("Offset past 2^53 - 1", at);
  return unsigned(number, limits.maxOffset, at);
}

function bytesOf(value: unknown, at: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new ProtocolError("Field that is not bytes", at);
  return value;
}

function idOf(value: unknown, at: number): string {
  const bytes = bytesOf(value, at);
  if (bytes.length !== 16) throw new ProtocolError(`Session of ${bytes.length} bytes, 16 expected,`, at);
  return toHex(bytes);
}

function textOf(value: unknown, at: number, maxBytes: number): string {
  if (typeof value !== "string") throw new ProtocolError("Field that is not text", at);
  const size = utf8Length(value);
  if (size > maxBytes) throw new ProtocolError(`Text of ${size} bytes, at most ${maxBytes} allowed,`, at);
  return value;
}

function textsOf(value: unknown, at: number, maxBytes: number): string[] {
  if (!Array.isArray(value)) throw new ProtocolError("Field that is not an array", at);
  if (value.length > limits.maxPageLength)
    throw new ProtocolError(`${value.length} texts, at most ${limits.maxPageLength} allowed,`, at);
  return value.map((text) => textOf(text, at, maxBytes));
}

function mapOf(value: unknown, at: number, maxBytes: number): Record<string, string> {
  if (!(value instanceof Map)) throw new ProtocolError("Field that is not a map", at);
  if (value.size > limits.maxMetadataEntries)
    throw new ProtocolError(`${value.size} entries, at most ${limits.maxMetadataEntries} allowed,`, at);
  const entries = Array.from(value, (entry) => entry.map((text) => textOf(text, at, maxBytes)) as [string, string]);
  const size = entries.reduce((sum, [key, text]) => sum + utf8Length(key) + utf8Length(text), 0);
  if (size > maxBytes) throw new ProtocolError(`Map of more than ${maxBytes} bytes`, at);
  // fromEntries defines own properties, so a key like "__proto__" is only a key.
  return Object.fromEntries(entries);
}
