import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import vectors from "../../vectors/gob.json" with { type: "json" };
import { originalLimits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import { encodeGob, gobDefinition, GobReader } from "./gob.ts";
import type { Message } from "./message.ts";

function readAll(reader: GobReader, bytes: Uint8Array): Message[] {
  return [...reader.read(bytes)];
}

/** Bytes as the vectors write them: see vectors/README.md. */
type HexBytes = string | readonly (string | { readonly repeat: readonly (string | number)[] })[];

function fromHex(hex: HexBytes): Uint8Array {
  const pieces = typeof hex === "string" ? [hex] : hex;
  const digits = pieces
    .map((piece) => (typeof piece === "string" ? piece : String(piece.repeat[0]).repeat(Number(piece.repeat[1]))))
    .join("");
  if (!/^(?:[0-9a-f]{2})*$/.test(digits)) throw new Error("A vector's hex has something else than pairs of digits");
  return new Uint8Array(Buffer.from(digits, "hex"));
}

function messageOf(vector: Omit<Message, "data"> & { readonly data: HexBytes }): Message {
  return { ...vector, data: fromHex(vector.data) };
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const fresh = (): GobReader => new GobReader(new Uint8Array());
const example: Message = { meta: 3, otherClient: "bob", connectionId: "c", data: Uint8Array.of(1, 2) };

/** The definition of the original's struct, under another id. */
function definitionOf(id: number): Uint8Array {
  const [signed, negative] = [2 * id, 2 * id - 1].map((value) => value.toString(16).padStart(2, "0"));
  const body = toHex(gobDefinition)
    .slice(2)
    .replace(/^7f/, id === 64 ? "7f" : `ff${negative}`)
    .replace("01ff80", `01ff${signed}`);
  return fromHex((body.length / 2).toString(16) + body);
}

describe("gob.json", () => {
  test.for(vectors.stream)("the vector of gob.json is decoded: $comment", ({ definition, message, hex }) => {
    const expected = [messageOf(message)];
    expect(readAll(fresh(), join(fromHex(definition), fromHex(hex)))).toEqual(expected);
    const reader = fresh();
    expect(readAll(reader, fromHex(definition))).toEqual([]);
    expect(readAll(reader, fromHex(hex))).toEqual(expected);
    expect(reader.definitions).toEqual(fromHex(definition));
  });

  test.for(vectors.stream)(
    "the vector of gob.json is encoded to the same bytes as by Go: $comment",
    ({ definition, message, hex }) => {
      expect(toHex(gobDefinition)).toBe(definition);
      expect(Buffer.from(encodeGob(messageOf(message))).equals(fromHex(hex))).toBe(true);
    },
  );

  test.for(vectors.sequences)("the mutated vector of gob.json is decoded: $comment", ({ hex, messages }) => {
    const reader = fresh();
    const pieces = hex.map(fromHex);
    const expected = messages.map(messageOf);
    expect(pieces.flatMap((piece) => readAll(reader, piece))).toEqual(expected);
    expect(readAll(fresh(), join(...pieces))).toEqual(expected);
  });

  test.for(vectors.invalid)("the vector of gob.json is refused: $comment", ({ hex, error }) => {
    const bytes = fromHex(hex);
    let thrown: unknown;
    try {
      readAll(fresh(), bytes);
    } catch (problem) {
      thrown = problem;
    }
    expect(thrown).toBeInstanceOf(ProtocolError);
    expect((thrown as ProtocolError).message).toBe(error);
    expect(error.endsWith(` at byte ${(thrown as ProtocolError).offset}`)).toBe(true);
  });
});

describe("numbers", () => {
  test("numbers of gob may be longer than they need, as in Go", () => {
    // The length, the id, the steps, the value and the length of a text each have 8 bytes.
    const eight = (value: number): string => `f8${value.toString(16).padStart(16, "0")}`;
    const body = [128, 1, 7, 1, 1].map(eight).join("") + "61" + eight(0);
    const value = fromHex(eight(body.length / 2) + body);
    const [message] = readAll(fresh(), join(gobDefinition, value));
    expect(message).toEqual({ meta: 7, otherClient: "a", connectionId: "", data: new Uint8Array() });
  });

  test("numbers of a gob field may be 0, and texts and data empty, though Go leaves such fields out", () => {
    const [message] = readAll(fresh(), join(gobDefinition, fromHex("0bff80010001000100010000")));
    expect(message).toEqual({ meta: 0, otherClient: "", connectionId: "", data: new Uint8Array() });
  });

  test("numbers that fit no byte aren't encoded as meta", () => {
    for (const meta of [-1, 256, 0.5, Number.NaN]) expect(() => encodeGob({ ...example, meta })).toThrow(TypeError);
  });
});

describe("data", () => {
  test("data of gob is a view on the input, so that reading takes no memory for it", () => {
    const bytes = join(gobDefinition, encodeGob(example));
    expect(readAll(fresh(), bytes)[0]?.data.buffer).toBe(bytes.buffer);
  });
});

describe("definitions", () => {
  test("definitions of gob let a new reader read on", () => {
    const first = fresh();
    readAll(first, join(gobDefinition, encodeGob(example), definitionOf(65)));
    const second = new GobReader(first.definitions);
    expect(second.definitions).toEqual(join(gobDefinition, definitionOf(65)));
    expect(readAll(second, encodeGob(example))).toEqual([example]);
    expect(() => readAll(second, definitionOf(65))).toThrow("Second definition of type 65 at byte 0");
  });

  test("definitions of gob stay unchanged when the input's memory is used again", () => {
    const input = gobDefinition.slice();
    const reader = fresh();
    readAll(reader, input);
    const kept = reader.definitions;
    input.fill(0);
    readAll(reader, definitionOf(65));
    expect(kept).toEqual(gobDefinition);
    expect(readAll(new GobReader(kept), encodeGob(example))).toEqual([example]);
  });

  test("definitions of gob that aren't whole are no definitions of an earlier reader", () => {
    for (const bytes of [gobDefinition.subarray(0, -1), encodeGob(example), join(gobDefinition, encodeGob(example))])
      expect(() => new GobReader(bytes)).toThrow(ProtocolError);
  });

  test("a link may have 8 definitions of gob", () => {
    const ids = Array.from({ length: 8 }, (_, at) => 64 + at);
    const reader = fresh();
    for (const id of ids) readAll(reader, definitionOf(id));
    expect(new GobReader(reader.definitions).definitions).toEqual(join(...ids.map(definitionOf)));
    expect(() => readAll(reader, definitionOf(72))).toThrow("More than 8 type definitions at byte 0");
  });

  test("definitions of gob may have 2,048 bytes, and not one more", () => {
    const withName = (nameBytes: number): Uint8Array => {
      const rest = toHex(gobDefinition)
        .slice(2)
        .split("074d657373616765")
        .join(`fe${nameBytes.toString(16).padStart(4, "0")}${"61".repeat(nameBytes)}`);
      return fromHex(`fe${(rest.length / 2).toString(16).padStart(4, "0")}${rest}`);
    };
    const most = withName(originalLimits.maxGobDefinitionBytes - withName(0).length);
    expect(most).toHaveLength(2_048);
    const reader = new GobReader(most);
    expect(readAll(reader, encodeGob(example))).toEqual([example]);
    expect(() => readAll(reader, definitionOf(65))).toThrow("2121 bytes of type definitions, at most 2048 allowed,");
    expect(reader.definitions).toEqual(most);
    const over = withName(originalLimits.maxGobDefinitionBytes - withName(0).length + 1);
    expect(() => readAll(fresh(), over)).toThrow("2049 bytes of type definitions, at most 2048 allowed, at byte 0");
  });
});

interface Checked {
  readonly messages: readonly (Omit<Message, "data"> & { readonly data: string })[];
  readonly error: string;
}

const generator = fileURLToPath(new URL("../../../test/interop/gob-vectors", import.meta.url));

/** The messages that Go's encoding/gob reads from each stream. */
function readWithGo(streams: readonly Uint8Array[]): Checked[] {
  const { status, stdout, stderr } = spawnSync("go", ["run", ".", "-check"], {
    cwd: generator,
    input: streams.map((stream) => `${toHex(stream)}\n`).join(""),
    env: { ...process.env, GOTOOLCHAIN: "local", GOWORK: "off" },
    encoding: "utf8",
    maxBuffer: 64 * 2 ** 20,
  });
  if (status !== 0) throw new Error(`The check with Go failed: ${stderr}`);
  const lines = stdout.split("\n").slice(0, -1);
  expect(lines).toHaveLength(streams.length);
  return lines.map((line) => JSON.parse(line) as Checked);
}

const hexOf = (message: Message): object => ({ ...message, data: toHex(message.data) });

describe("beside encoding/gob", { timeout: 120_000 }, () => {
  const hasGo = spawnSync("go", ["version"]).status === 0;
  const noGo = "Go isn't installed, so nothing was compared with its encoding/gob";
  const text = fc.string({ unit: "binary", maxLength: 20 });
  const message: fc.Arbitrary<Message> = fc.record(
    { meta: fc.nat(255), otherClient: text, connectionId: text, data: fc.uint8Array({ maxLength: 300 }) },
    { noNullPrototype: true },
  );

  test("Go's encoding/gob reads what is encoded here", ({ skip }) => {
    if (!hasGo) skip(noGo);
    const lists = [
      ...vectors.stream.map(({ message }) => [messageOf(message)]),
      ...fc.sample(fc.array(message, { minLength: 1, maxLength: 20 }), { numRuns: 300, seed: 1 }),
    ];
    const checked = readWithGo(lists.map((list) => join(gobDefinition, ...list.map(encodeGob))));
    expect(checked).toEqual(lists.map((list) => ({ messages: list.map(hexOf), error: "" })));
  });

  test("Go's encoding/gob reads the same from what is accepted here, even when a byte of it was changed", ({
    skip,
  }) => {
    if (!hasGo) skip(noGo);
    const value = { ...example, otherClient: "a", data: Uint8Array.of(9) };
    const good = join(gobDefinition, encodeGob(value), encodeGob(example));
    const accepted: { bytes: Uint8Array; messages: readonly Message[] }[] = [];
    for (let at = 0; at < good.length; at++) {
      for (let byte = 0; byte <= 0xff; byte++) {
        const bytes = good.slice();
        bytes[at] = byte;
        try {
          accepted.push({ bytes, messages: readAll(fresh(), bytes) });
        } catch (problem) {
          if (!(problem instanceof ProtocolError)) throw problem;
        }
      }
    }
    expect(accepted.length).toBeGreaterThan(good.length);
    const checked = readWithGo(accepted.map(({ bytes }) => bytes));
    expect(checked).toEqual(accepted.map(({ messages }) => ({ messages: messages.map(hexOf), error: "" })));
  });
});
