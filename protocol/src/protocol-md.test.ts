import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import {
  BatchWriter,
  closeCodes,
  dataFlags,
  defaultRealm,
  errorCodes,
  frameHeaderBytes,
  goneReasons,
  heartbeat,
  ignorableBit,
  isRetryable,
  limits,
  openerBit,
  peerFrames,
  PeerFrameReader,
  ProtocolError,
  routerAddress,
  routerFrames,
  segmentHeaderBytes,
  SegmentReader,
  subprotocols,
} from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { batchOf } from "../../test/support/batches.ts";
import { realmOf } from "../../test/support/routing-fakes.ts";

const markdown = readFileSync(`${import.meta.dirname}/../../PROTOCOL.md`, "utf8");

/** A row by its columns' heads. Code spans lose their marks. */
type Row = Readonly<Record<string, string>>;
/** A frame as both sides of the comparison write it; fields are [name, kind] or [name, kind, most bytes]. */
interface FrameRow {
  readonly type: number;
  readonly kind: string;
  readonly fields: readonly (readonly (string | number)[])[];
}
type FrameTable = Readonly<
  Record<
    string,
    { readonly type: number; readonly fields: Readonly<Record<string, string | readonly [string, number]>> }
  >
>;

function cellsOf(line: string): string[] {
  const cells = line.split("|").slice(1, -1);
  return cells.map((cell) => cell.trim().replaceAll("`", ""));
}

/** All tables whose heads begin with these. */
function tablesWith(...heads: string[]): Row[][] {
  const blocks = markdown.match(/(?:^\|.*\n)+/gm) ?? [];
  return blocks.flatMap((block) => {
    const [head = "", , ...rows] = block.trimEnd().split("\n");
    const columns = cellsOf(head);
    if (heads.some((text, at) => columns[at] !== text)) return [];
    return [rows.map((row) => Object.fromEntries(cellsOf(row).map((cell, at) => [columns[at], cell])))];
  });
}

function onlyTableWith(...heads: string[]): Row[] {
  const tables = tablesWith(...heads);
  expect(tables, heads.join(" | ")).toHaveLength(1);
  return tables[0] ?? [];
}

/** Names and numbers of a table, as pairs, so that a row that comes twice is seen. */
function numbersIn(rows: readonly Row[], name: string, number: string): [string | undefined, number][] {
  return rows.map((row) => [row[name], Number((row[number] ?? "").replaceAll(",", ""))]);
}

function framesInTable(rows: readonly Row[]): FrameRow[] {
  return rows.map(({ Type: type, Frame: kind = "", Fields: text = "" }) => ({
    type: Number(type),
    kind,
    fields: text === "none" ? [] : text.split(", ").map(fieldIn),
  }));
}

function fieldIn(text: string): (string | number)[] {
  const [, name = text, kind = "", maxBytes] = /^(\w+) (\w+)(?:\((\d+)\))?$/.exec(text) ?? [];
  return maxBytes === undefined ? [name, kind] : [name, kind, Number(maxBytes)];
}

function framesInCode(table: FrameTable): FrameRow[] {
  return Object.entries(table).map(([kind, { type, fields }]) => ({
    type,
    kind,
    fields: Object.entries(fields).map(([name, field]) => [name, ...(typeof field === "string" ? [field] : field)]),
  }));
}

/** Bytes of a body whose numbers are 0 and whose texts and lists are empty. */
const emptyBytes: Readonly<Record<string, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  id: 16,
  text: 2,
  texts: 2,
  map: 2,
  rest: 0,
};

/** Whether the router takes a frame of this kind from a client. */
function routerTakes({ type, fields }: FrameRow): boolean {
  const bodyBytes = fields.reduce((sum, [, kind = ""]) => sum + (emptyBytes[kind] ?? Number.NaN), 0);
  const bytes = new Uint8Array(frameHeaderBytes + bodyBytes);
  new DataView(bytes.buffer).setUint32(0, (type << 24) | bodyBytes);
  const { routing, join } = realmOf();
  try {
    routing.receive(join("alice"), batchOf([routerAddress, bytes]));
    return true;
  } catch (error) {
    // A frame that can't be read would throw as well, and say something else.
    if (error instanceof ProtocolError && error.message.includes("is the router's to send")) return false;
    throw error;
  }
}

describe("PROTOCOL.md", () => {
  const [routerRows = [], peerRows = [], ...otherRows] = tablesWith("Type", "Frame", "Direction", "Fields");

  test("PROTOCOL.md lists every router frame with its type, its fields and their kinds", () => {
    expect(framesInTable(routerRows)).toEqual(framesInCode(routerFrames));
  });

  test("PROTOCOL.md lists every peer frame with its type, its fields and their kinds", () => {
    expect(framesInTable(peerRows)).toEqual(framesInCode(peerFrames));
    expect(otherRows).toEqual([]);
  });

  test("PROTOCOL.md gives each router frame the direction in which the router lets it pass", () => {
    const told = routerRows.map(({ Frame, Direction }) => [Frame, Direction]);
    const directionOf = (frame: FrameRow): string => {
      // The router passes it on.
      if (frame.kind === "open") return "both";
      return routerTakes(frame) ? "client → router" : "router → client";
    };
    const done = framesInCode(routerFrames).map((frame) => [frame.kind, directionOf(frame)]);
    expect(told).toEqual(done);
  });

  test("PROTOCOL.md gives each peer frame the ends that send it", () => {
    for (const { Frame, Direction } of peerRows) expect(Direction, Frame).toBe("either end");
  });

  test("PROTOCOL.md explains every kind of field that a frame has, and no other", () => {
    const used = framesInCode({ ...routerFrames, ...peerFrames }).flatMap(({ fields }) =>
      fields.map(([, kind]) => kind),
    );
    const explained = onlyTableWith("Kind", "Bytes", "Content").map(({ Kind }) => Kind);
    expect(new Set(explained)).toEqual(new Set(used));
    expect(explained).toHaveLength(new Set(used).size);
  });

  test("PROTOCOL.md lists every data flag", () => {
    expect(numbersIn(onlyTableWith("Flag", "Name"), "Name", "Flag")).toEqual(Object.entries(dataFlags));
  });

  test("PROTOCOL.md lists every close code, and whether to reconnect", () => {
    const rows = onlyTableWith("Code", "Name", "Retry");
    expect(numbersIn(rows, "Name", "Code")).toEqual(Object.entries(closeCodes));
    for (const { Code: code, Retry: retry } of rows) expect(retry, code).toBe(isRetryable(Number(code)) ? "yes" : "no");
  });

  test("PROTOCOL.md lists every error code", () => {
    expect(numbersIn(onlyTableWith("Code", "Name", "In"), "Name", "Code")).toEqual(Object.entries(errorCodes));
  });

  test("PROTOCOL.md lists every reason of a gone frame", () => {
    expect(numbersIn(onlyTableWith("Reason", "Name"), "Name", "Reason")).toEqual(Object.entries(goneReasons));
  });

  test("PROTOCOL.md lists every limit with its value", () => {
    expect(numbersIn(onlyTableWith("Limit", "Value", "Unit"), "Limit", "Value")).toEqual(Object.entries(limits));
  });

  test("PROTOCOL.md names in its prose only limits that exist", () => {
    const named = Array.from(
      markdown.matchAll(/`((?:max|min|first|mark|ghost|flush)[A-Z]\w*|\w+CostBytes)`/g),
      ([, name]) => name,
    );
    expect(Object.keys(limits)).toEqual(expect.arrayContaining(named));
  });

  test("PROTOCOL.md has the heartbeat's strings, the subprotocols, the bits and the sizes of headers", () => {
    const [texts = [], numbers = [], ...others] = tablesWith("Constant", "Value");
    expect(texts.map(({ Constant, Value }) => [Constant, Value])).toEqual([
      ...Object.entries(subprotocols).map(([name, value]) => [`subprotocols.${name}`, value]),
      ...Object.entries(heartbeat).map(([name, value]) => [`heartbeat.${name}`, value]),
      ["defaultRealm", defaultRealm],
    ]);
    const inCode = { ignorableBit, openerBit, routerAddress, segmentHeaderBytes, frameHeaderBytes };
    expect(numbersIn(numbers, "Constant", "Value")).toEqual(Object.entries(inCode));
    expect(others).toEqual([]);
  });

  test("PROTOCOL.md likens each refusal to a close code that exists", () => {
    const codes = onlyTableWith("Status", "code", "As close code").map((row) => row["As close code"]);
    const known = [...Object.values(closeCodes).map(String), "none"];
    expect(known).toEqual(expect.arrayContaining(codes));
  });

  test("PROTOCOL.md says which types of each range are free: exactly those that no frame has", () => {
    const [, router = "", peers = ""] = /types (.+) are free for the router, (.+) for\s+peers/.exec(markdown) ?? [];
    const typesIn = (text: string): number[] =>
      Array.from(text.matchAll(/(0x\w+)(?: to (0x\w+))?/g), ([, first, last]) =>
        Array.from({ length: Number(last ?? first) - Number(first) + 1 }, (_, at) => Number(first) + at),
      ).flat();
    const free = (from: number, to: number, table: FrameTable): number[] => {
      const taken = framesInCode(table).map(({ type }) => type);
      return Array.from({ length: to - from + 1 }, (_, at) => from + at).filter((type) => !taken.includes(type));
    };
    expect(typesIn(router)).toEqual(free(0, 0x3f, routerFrames));
    expect(typesIn(peers)).toEqual(free(0x40, ignorableBit - 1, peerFrames));
  });

  test("PROTOCOL.md shows a batch that decodes to what it says, and that a writer makes", () => {
    const hex = /```hex\n(.*)\n```/.exec(markdown)?.[1] ?? "";
    const bytes = new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
    const segments = new SegmentReader(bytes);
    expect(segments.next()).toBe(true);
    expect(segments.address).toBe(7);
    const frames = new PeerFrameReader(bytes, segments.start, segments.end);
    const payload = new TextEncoder().encode("hello");
    const connection = openerBit + 1;
    const frame = frames.next();
    expect(frame).toMatchObject({ kind: "data", connection, last: true, text: true, offset: 0 });
    expect(frame?.kind === "data" && Buffer.from(frame.payload).equals(payload)).toBe(true);
    expect([frames.next(), segments.next()]).toEqual([undefined, false]);

    const batches: Uint8Array[] = [];
    const writer = new BatchWriter((batch) => batches.push(batch));
    writer.data({ address: 7, connection }, dataFlags.last | dataFlags.text, 0, payload);
    writer.flush();
    expect(batches).toEqual([bytes]);
  });

  test("PROTOCOL.md refers to sections that exist", () => {
    const headings = new Set(Array.from(markdown.matchAll(/^##+ (\d+(?:\.\d+)?)/gm), ([, number]) => number));
    const references = Array.from(markdown.matchAll(/section\s+(\d+(?:\.\d+)?)/g), ([, number]) => number);
    expect(references).not.toEqual([]);
    for (const reference of references) expect(headings, `section ${reference}`).toContain(reference);
  });
});
