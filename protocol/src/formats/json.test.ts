import { describe, expect, test } from "vitest";
import { checkBothWays, checkNamedHostile, checkNamedVectors } from "../../../test/support/named-format-checks.ts";
import { decodeAll } from "../../../test/support/named-vectors.ts";
import { namedVectorsIn } from "../../../test/support/vector-files.ts";
import { errorCodes } from "../codes.ts";
import type { PeerFrame } from "../frames.ts";
import { limits } from "../limits.ts";
import { json } from "./json.ts";
import { uncountedOffset } from "./named.ts";
import { pieces } from "./pieces.ts";

const vectors = namedVectorsIn("json.json");

interface TypedFrame {
  readonly type: string;
  readonly code?: string | number;
}

function framesIn(message: string): TypedFrame[] {
  const value = JSON.parse(message) as TypedFrame | TypedFrame[];
  return Array.isArray(value) ? value : [value];
}

describe("json.json", () => {
  checkNamedVectors(json, vectors);

  test("json.json has every type of a frame in both directions, as PROTOCOL.md lists them", () => {
    const types = (direction: string): Set<string> =>
      new Set(
        vectors.messages
          .filter((vector) => vector.direction === direction)
          .flatMap(({ message }) => (typeof message === "string" ? framesIn(message) : []))
          .map(({ type }) => type),
      );
    const both = ["open", "accept", "data", "end", "stop", "done", "reset", "credit"];
    expect([...types("from-client")].sort()).toEqual(
      [...both, "close", "reached", "list", "serve", "watch", "unwatch", "bye"].sort(),
    );
    expect([...types("to-client")].sort()).toEqual(
      [...both, "welcome", "refused", "gone", "mark", "peers", "present", "left", "snapshot", "closing"].sort(),
    );
  });

  test("json.json has every code by its name in both directions", () => {
    for (const direction of ["from-client", "to-client"]) {
      const named = vectors.messages
        .filter((vector) => vector.direction === direction)
        .flatMap(({ message }) => (typeof message === "string" ? framesIn(message) : []))
        .flatMap(({ code }) => (typeof code === "string" ? code : []));
      expect(new Set(named).size).toBe(Object.keys(errorCodes).length);
    }
  });
});

describe("frames in JSON", () => {
  /** The part of a frame that a client can say: not its offset, and not what has arrived. */
  function said(frame: PeerFrame): PeerFrame[] {
    switch (frame.kind) {
      case "data":
        return pieces([frame]).map((piece) => (piece.kind === "data" ? { ...piece, offset: undefined } : piece));
      case "fin":
        return [{ ...frame, offset: uncountedOffset }];
      case "credit":
        return [{ ...frame, received: 0 }];
      case "yield":
        return [];
      default:
        return [frame];
    }
  }
  // Only the router says what it has received.
  checkBothWays(json, (message) => String(message).replaceAll(/,"received":\d+/g, ""), said);

  test("frames in JSON go in as few messages as possible, each short enough for a client's library", () => {
    const frame = { kind: "done", connection: 1 } as const;
    const messages = json.encodePeer(
      Array.from({ length: 10_000 }, () => frame),
      "\u{1f422}".repeat(32),
      "alice",
    );
    const bytes = messages.map((message) => new TextEncoder().encode(String(message)).length);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(limits.maxBatchBytes);
    expect(messages.length).toBeLessThanOrEqual(Math.ceil(bytes.reduce((sum, count) => sum + count, 0) / 100_000));
    expect(messages.flatMap((message) => JSON.parse(String(message)) as object[])).toHaveLength(10_000);
  });
});

describe("JSON", () => {
  checkNamedHostile(json, vectors);

  test("JSON in a binary message is refused", () => {
    const { problem } = decodeAll(json, new TextEncoder().encode('{"type":"bye"}'), "alice");
    expect(problem).toMatchObject({ name: "ProtocolError", message: "Binary message on a text format" });
  });
});
