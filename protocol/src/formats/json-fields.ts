import { errorCodeNamed, errorCodes } from "../codes.ts";
import { limits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import { utf8Length } from "../utf8.ts";

/** Turns a parsed value into a field's value, or `undefined` if it has the wrong kind. */
type Reader<Value> = (value: unknown) => Value | undefined;

interface Field<Value> {
  readonly read: Reader<Value>;
  readonly what: string;
  /** The value of an absent field. */
  readonly absent?: { readonly value: Value };
}

const text = textUpTo(limits.maxBatchBytes);
const number: Field<number> = {
  // Plus 0, since JSON has a negative zero.
  read: (value) => (Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) + 0 : undefined),
  what: "a whole number",
};
const u32: Field<number> = {
  read: (value) => ((number.read(value) ?? Infinity) <= 0xffff_ffff ? number.read(value) : undefined),
  what: "a whole number below 2^32",
};
const boolean: Field<boolean> = {
  read: (value) => (typeof value === "boolean" ? value : undefined),
  what: "true or false",
};
const texts: Field<Readonly<Record<string, string>>> = {
  read: readTexts,
  what: `an object of at most ${limits.maxMetadataEntries} well-formed texts of ${limits.maxMetadataBytes} bytes in all`,
};
const protocol = textUpTo(limits.maxProtocolBytes);
const protocols: Field<readonly string[]> = {
  read: (value) => {
    if (!Array.isArray(value) || value.length > limits.maxServices) return undefined;
    const read = value.map(protocol.read).filter((each) => each !== undefined);
    return read.length === value.length ? read : undefined;
  },
  what: `an array of at most ${limits.maxServices} protocols' names or patterns`,
};
const code: Field<number> = { read: readCode, what: "a code's name or number" };

function textUpTo(maxBytes: number): Field<string> {
  return {
    // A UTF-16 code unit takes at least one byte, so a much too long string is refused without encoding it.
    read: (value) =>
      typeof value === "string" && value.isWellFormed() && value.length <= maxBytes && utf8Length(value) <= maxBytes
        ? value
        : undefined,
    what: `a well-formed text of at most ${maxBytes} bytes`,
  };
}

/** A field that may be missing. */
function or<Value>(field: Field<Value>, value: Value): Field<Value> {
  return { ...field, absent: { value } };
}

function maybe<Value>({ read, what }: Field<Value>): Field<Value | undefined> {
  return { read, what, absent: { value: undefined } };
}

const ends = { peer: textUpTo(limits.maxLabelBytes), connection: textUpTo(limits.maxLabelBytes + 11) };
// The first window of this repository's client.
const limit = or(number, limits.firstWindowBytes);
const reason = or(textUpTo(limits.maxReasonBytes), "");

/** The fields of each frame that a client sends, beside its type. */
const frames = {
  open: { ...ends, protocol, metadata: or(texts, {}), limit },
  accept: { ...ends, limit },
  data: { ...ends, text: maybe(text), base64: maybe(text), more: or(boolean, false), offset: maybe(number) },
  credit: { ...ends, limit: number },
  end: { ...ends, offset: maybe(number) },
  stop: ends,
  close: { ...ends, offset: maybe(number) },
  reset: { ...ends, code: or(code, errorCodes.aborted), reason },
  done: ends,
  list: { request: or(u32, 0), cursor: or(textUpTo(limits.maxNameBytes), "") },
  watch: { request: or(u32, 0), pattern: or(textUpTo(limits.maxNameBytes), "*") },
  unwatch: { request: or(u32, 0) },
  reached: { token: textUpTo(64) },
  serve: { share: or(boolean, false), add: or(protocols, []), remove: or(protocols, []) },
  bye: {},
} as const satisfies Record<string, Readonly<Record<string, Field<unknown>>>>;

type FieldsOf<Table> = { readonly [Name in keyof Table]: Table[Name] extends Field<infer Value> ? Value : never };

/** A frame that a client sent, told apart by `type`. */
export type Fields = {
  [Type in keyof typeof frames]: { readonly type: Type } & FieldsOf<(typeof frames)[Type]>;
}[keyof typeof frames];

/** Reads a frame from a parsed value. @throws ProtocolError that names the wrong field */
export function readFields(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ProtocolError("A frame that is not a JSON object");
  const given = new Map<string, unknown>(Object.entries(value));
  const type = given.get("type");
  if (typeof type !== "string" || !Object.hasOwn(frames, type)) throw new ProtocolError('A frame of no known "type"');
  const fields: Readonly<Record<string, Field<unknown>>> = frames[type as keyof typeof frames];
  for (const name of given.keys()) {
    if (name !== "type" && !Object.hasOwn(fields, name))
      throw new ProtocolError(`Frame "${type}" with a field that it doesn't have`);
  }
  const read: Record<string, unknown> = { type };
  for (const [name, field] of Object.entries(fields)) {
    const present = given.has(name);
    if (!present && field.absent === undefined) throw new ProtocolError(`Frame "${type}" without "${name}"`);
    read[name] = present ? field.read(given.get(name)) : field.absent?.value;
    if (present && read[name] === undefined)
      throw new ProtocolError(`Frame "${type}" whose "${name}" is not ${field.what}`);
  }
  // The fields were read by the table that the type is derived from.
  return read as Fields;
}

function readTexts(value: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  if (entries.length > limits.maxMetadataEntries) return undefined;
  if (!entries.flat().every((entry) => text.read(entry) !== undefined)) return undefined;
  const bytes = (entries.flat() as string[]).reduce((sum, entry) => sum + utf8Length(entry), 0);
  if (bytes > limits.maxMetadataBytes) return undefined;
  // fromEntries defines own properties, so a key like "__proto__" is only a key.
  return Object.fromEntries(entries) as Record<string, string>;
}

function readCode(value: unknown): number | undefined {
  const given = number.read(value);
  if (given !== undefined) return given <= 0xffff ? given : undefined;
  return typeof value === "string" ? errorCodeNamed(value) : undefined;
}
