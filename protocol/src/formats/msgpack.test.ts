import { Buffer } from "node:buffer";
import { decode, encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import {
  checkHostile,
  checkSequences,
  checkVectors,
  expectLittleMemory,
  readAll,
} from "../../../test/support/segment-format-checks.ts";
import { limits } from "../limits.ts";
import { msgpack } from "./msgpack.ts";

checkVectors(msgpack, "msgpack.json");
checkSequences(msgpack);
checkHostile(msgpack);

describe("memory for MessagePack", () => {
  const filled = (...pattern: number[]): Uint8Array =>
    Uint8Array.from({ length: limits.maxBatchBytes }, (_, at) => pattern[at % pattern.length] ?? 0);

  test.for([
    ["a payload of 4 GiB", [0x94, 0x41, 0x01, 0x00, 0xc6, 0xff, 0xff, 0xff, 0xff]],
    ["a text of 4 GiB", [0x93, 0x0d, 0x01, 0xdb, 0xff, 0xff, 0xff, 0xff]],
    ["an array of 4 Gi elements", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["a map of 4 Gi entries", [0x9a, 0x04, 0x01, 0xdf, 0xff, 0xff, 0xff, 0xff]],
  ] as const)("a MessagePack reader takes no memory for %s that is only announced", ([, bytes]) => {
    for (const range of ["router", "peer"]) expectLittleMemory(msgpack, range, Uint8Array.from(bytes));
  });

  test.for([
    ["arrays in arrays that announce as much as they may", [0xdc, 0x01, 0xf4]],
    ["maps in maps", [0x81, 0x01]],
    ["empty maps", [0x80]],
    [
      "frames of empty maps, each with the ignorable bit",
      [0xdc, 0x01, 0xf4, 0xcc, 0xff, ...Array.from({ length: 499 }, () => 0x80)],
    ],
  ] as const)("a MessagePack reader takes no memory for a whole batch of %s", ([, pattern]) => {
    expectLittleMemory(msgpack, "router", filled(...pattern));
  });
});

describe("the library on its own", () => {
  test("the MessagePack library decodes the frames that are encoded here", () => {
    const bytes = msgpack.encode({ kind: "credit", connection: 7, received: 2 ** 40, limit: limits.maxOffset });
    expect(decode(bytes)).toEqual([0x40, 7, 2 ** 40, limits.maxOffset]);
  });

  test("frames that the MessagePack library encodes are decoded here", () => {
    const names = ["a", "\ufeff".repeat(40), "\u00e9"];
    const bytes = encode([0x0e, 1, "", names]);
    expect(readAll(msgpack, "router", bytes)).toEqual([{ kind: "peers", request: 1, cursor: "", names }]);
  });

  // If one of these fails, the library has changed, and `readValue` may be asked again whether it is needed.
  test("the MessagePack library drops a byte order mark, keys that come twice and invalid UTF-8", () => {
    expect(decode(encode(`\ufeff${"a".repeat(300)}`))).toBe("a".repeat(300));
    expect(decode(Buffer.from("82a16b01a16b02", "hex"))).toEqual({ k: 2 });
    expect(decode(Buffer.from("a2c080", "hex"))).toBe("\0");
  });
});
