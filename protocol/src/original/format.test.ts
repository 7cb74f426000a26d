import { describe, expect, test } from "vitest";
import { checkBothWays, checkNamedHostile, checkNamedVectors } from "../../../test/support/named-format-checks.ts";
import { decodeAll } from "../../../test/support/named-vectors.ts";
import { namedVectorsIn } from "../../../test/support/vector-files.ts";
import { errorCodes } from "../codes.ts";
import type { PeerFrame } from "../frames.ts";
import { limits } from "../limits.ts";
import { encodeGob, gobDefinition } from "./gob.ts";
import { uncountedOffset, type WireMessage } from "../formats/named.ts";
import { accepts } from "../formats/named.ts";
import { gob } from "./gob-format.ts";
import { json } from "./json.ts";
import type { Message } from "./message.ts";

const vectors = namedVectorsIn("original.json");

describe("original.json", () => {
  checkNamedVectors(json, vectors);
});

const refusals = new Set<number>([errorCodes.rejected, errorCodes.busy, errorCodes.tooManyConnections]);

/** What is left of a frame once it has gone over the original's wire, as its client would say it. */
function said(frame: PeerFrame): PeerFrame[] {
  const { connection } = frame;
  const done = { kind: "done", connection } as const;
  const end: PeerFrame[] = [{ kind: "stop", connection }, { kind: "fin", connection, offset: uncountedOffset }, done];
  switch (frame.kind) {
    case "data":
      return [{ ...frame, last: true, text: false, offset: undefined }];
    case "credit":
      return accepts(frame) ? [{ ...frame, received: 0, limit: limits.firstWindowBytes }] : [];
    case "reset":
      if (frame.code === errorCodes.unknownProtocol) return [{ ...frame, reason: "" }];
      return refusals.has(frame.code) ? [done] : end;
    case "done":
      return end;
    default:
      return [];
  }
}

describe("messages in JSON", () => {
  checkBothWays(json, (message) => message, said);
  checkNamedHostile(json, vectors);
});

describe("messages in gob", () => {
  const withDefinition = (message: WireMessage): Uint8Array =>
    Uint8Array.from([...gobDefinition, ...(message as Uint8Array)]);
  checkBothWays(gob, withDefinition, said);

  const hello: Message = { meta: 0, otherClient: "bob", connectionId: "alice:0", data: Uint8Array.of(1) };
  const value = encodeGob(hello);

  test("gob messages need their type once on a link, which is remembered from one message to the next", () => {
    const first = decodeAll(gob, withDefinition(value), "alice");
    expect(first.says).toHaveLength(1);
    expect(first.formatMemory).toEqual(gobDefinition);
    const second = decodeAll(gob, value, "alice", first.formatMemory);
    expect(second.says).toEqual(first.says);
    expect(decodeAll(gob, value, "alice").problem).toMatchObject({ name: "ProtocolError" });
  });

  test("gob messages before a fault count, and their definitions are remembered", () => {
    const { says, problem, formatMemory } = decodeAll(gob, Uint8Array.of(...withDefinition(value), 5), "alice");
    expect(says).toHaveLength(1);
    expect(problem).toMatchObject({ name: "ProtocolError" });
    expect(formatMemory).toEqual(gobDefinition);
  });

  test("gob in a text message is refused", () => {
    const { problem } = decodeAll(gob, "\u0003", "alice");
    expect(problem).toMatchObject({ name: "ProtocolError", message: "Text message on a binary format" });
  });

  test("a gob message holds at most 1,024 messages of the original", () => {
    const many = (count: number): Uint8Array =>
      Uint8Array.from([...gobDefinition, ...Array.from({ length: count }, () => [...value]).flat()]);
    expect(decodeAll(gob, many(limits.maxSegments), "alice").problem).toBeUndefined();
    const { says, problem } = decodeAll(gob, many(limits.maxSegments + 1), "alice");
    expect(says).toHaveLength(limits.maxSegments);
    expect(problem).toMatchObject({ message: "More than 1024 messages in one" });
  });
});
