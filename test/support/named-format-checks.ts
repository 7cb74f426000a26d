// Checks for every format that names its peers.
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NamedFormat, Said, WireMessage } from "../../protocol/src/formats/named.ts";
import { flipOpenerBit, openerBit, type PeerFrame } from "../../protocol/src/frames.ts";
import { limits } from "../../protocol/src/limits.ts";
import { ProtocolError } from "../../protocol/src/protocol-error.ts";
import { dataFrame, peerKinds, plain } from "./frame-arbitraries.ts";
import { decodeAll, encodeAll, expectedOf, messageOf, type NamedVectors } from "./named-vectors.ts";

/** Runs a file of vectors: see protocol/vectors/README.md. */
export function checkNamedVectors(format: NamedFormat, { messages, invalid }: NamedVectors): void {
  const fromClient = messages.filter(({ direction }) => direction === "from-client");
  const toClient = messages.filter(({ direction }) => direction === "to-client");

  test(`the vectors of ${format.subprotocol} are from and to clients, and each invalid one says why`, () => {
    expect(fromClient.length + toClient.length).toBe(messages.length);
    for (const kind of [fromClient, toClient, invalid]) expect(kind.length).toBeGreaterThan(0);
  });

  test.for(fromClient)(
    `the vector of ${format.subprotocol} from a client is decoded: $comment`,
    ({ message, self, says }) => {
      const decoded = decodeAll(format, messageOf(message ?? ""), self);
      expect(decoded.problem).toBeUndefined();
      expect(decoded.says).toEqual(expectedOf(says));
    },
  );

  test.for(toClient)(
    `the vector of ${format.subprotocol} to a client is encoded: $comment`,
    ({ message, self, peer = "", says }) => {
      expect(encodeAll(format, says, self, peer)).toBe(message === null ? null : messageOf(message));
    },
  );

  test.for(invalid.filter(({ message }) => message !== undefined))(
    `the vector of ${format.subprotocol} is refused: $comment`,
    (vector) => {
      const { says, problem } = decodeAll(format, messageOf(vector.message ?? ""), "alice");
      expect(says).toEqual(expectedOf(vector.says ?? []));
      expectProtocolError(problem, vector.error);
    },
  );

  test.for(invalid.filter(({ direction }) => direction === "to-client"))(
    `${format.subprotocol} can't carry the vector's frames: $comment`,
    ({ says, error }) => {
      let problem: unknown;
      try {
        encodeAll(format, says ?? [], "alice", "bob");
      } catch (thrown) {
        problem = thrown;
      }
      expectProtocolError(problem, error);
    },
  );
}

function expectProtocolError(problem: unknown, message: string): void {
  expect(problem).toBeInstanceOf(ProtocolError);
  expect((problem as ProtocolError).message).toBe(message);
}

/** Texts of UTF-8, or bytes; Connection ids as there can be. */
const peerFrame: fc.Arbitrary<PeerFrame> = fc
  .tuple(fc.oneof(dataFrame, ...peerKinds), fc.integer({ min: 1, max: limits.maxConnectionId }), fc.boolean())
  // Frames of the tables of peer frames.
  .map(([frame, id, isOpener]) => ({ ...frame, connection: isOpener ? (id | openerBit) >>> 0 : id }) as PeerFrame)
  .map((frame) =>
    frame.kind === "data" && frame.text
      ? { ...frame, payload: new TextEncoder().encode(new TextDecoder().decode(frame.payload).slice(0, 20_000)) }
      : frame,
  );

/**
 * What one client hears of another is what it would have to write to say the same of itself, in a format where both ways
 * are written alike.
 *
 * @param expected what is said of a frame that was heard; its Connection is the peer's.
 */
export function checkBothWays(
  format: NamedFormat,
  heardToSaid: (message: WireMessage) => WireMessage,
  expected: (frame: PeerFrame) => readonly PeerFrame[],
): void {
  test(`any peer frame can be written in ${format.subprotocol} and read again, with any names`, () => {
    const name = fc.oneof(fc.constantFrom("a", '"\\', "żółw 亀 🐢", "mark", "__proto__"), fc.string({ minLength: 1 }));
    const names = fc
      .tuple(name, name)
      .filter(([one, other]) => one !== other && !`${one}${other}`.includes(":") && `${one}${other}`.isWellFormed());
    const property = fc.property(names, fc.array(peerFrame, { maxLength: 4 }), ([peer, self], frames) => {
      const heard = format.encodePeer(frames, peer, self).flatMap((message) => {
        const { says, problem } = decodeAll(format, heardToSaid(message), self);
        if (problem !== undefined) throw problem;
        return says;
      });
      const wanted = frames.flatMap(expected).map((frame) => {
        const connection = flipOpenerBit(frame.connection);
        return { to: "peer", peer, frame: plain({ ...frame, connection }) };
      });
      // Compared as plain values at once: this runs often, and payloads are large.
      const said = heard.map((said) => ("frame" in said ? { ...said, frame: plain(said.frame) } : said));
      if (!isDeepStrictEqual(said, wanted)) expect(said).toEqual(wanted);
    });
    fc.assert(property, { numRuns: 300 });
  });
}

/** Shows that every format can write what was read here; if not, the client that reads it would be the one to suffer. */
function expectSayable(format: NamedFormat, says: readonly Said[]): void {
  for (const said of says) {
    if (said.to !== "peer" || said.peer === "alice") continue;
    format.encodePeer([said.frame], "alice", said.peer);
  }
}

/** Any input is read, or refused with a ProtocolError. */
export function checkNamedHostile(format: NamedFormat, { messages, invalid }: NamedVectors): void {
  const texts = [...messages.filter(({ direction }) => direction === "from-client"), ...invalid]
    .flatMap(({ message }) => (message === undefined || message === null ? [] : [messageOf(message)]))
    .filter((message): message is string => typeof message === "string" && message.length < 5_000);
  const vector = fc.constantFrom(...texts);

  const read = (message: WireMessage): void => {
    const { says, problem } = decodeAll(format, message, "alice");
    if (problem !== undefined && !(problem instanceof ProtocolError)) throw problem;
    expectSayable(format, says);
  };

  describe(`hostile input in ${format.subprotocol}`, () => {
    test(`any string in ${format.subprotocol} is read or refused with a ProtocolError`, () => {
      const any = fc.oneof(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.json(),
        fc.json().map((text) => `[${text}]`),
      );
      fc.assert(fc.property(any, read), { numRuns: 5_000 });
    });

    test(`any bytes in ${format.subprotocol} are read or refused with a ProtocolError`, () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), read), { numRuns: 2_000 });
    });

    test(`a vector of ${format.subprotocol} that is cut anywhere is read or refused with a ProtocolError`, () => {
      for (const text of texts) {
        if (text.length > 400) continue;
        for (let cut = 0; cut < text.length; cut++) read(text.slice(0, cut));
      }
    });

    test(`a vector of ${format.subprotocol} with any character changed, left out or put in is read or refused with a ProtocolError`, () => {
      const character = fc.oneof(
        fc.constantFrom("{", "}", "[", "]", '"', ",", ":", "\\", "0", "-", "e", "\n", "\u0000", "\ud800"),
        fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
      );
      const property = fc.property(vector, character, fc.nat(5_000), fc.nat(1), (text, piece, where, removed) => {
        const at = where % (text.length + 1);
        read(text.slice(0, at) + piece + text.slice(at + removed));
        read(text.slice(0, at) + text.slice(at + 1));
      });
      fc.assert(property, { numRuns: 10_000 });
    });

    test(`a vector of ${format.subprotocol} with any value changed is read or refused with a ProtocolError`, () => {
      const property = fc.property(vector, fc.jsonValue(), fc.nat(20), (text, value, at) => {
        let index = 0;
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          return;
        }
        read(JSON.stringify(parsed, (_key, old: unknown) => (index++ === at ? value : old)) ?? "");
      });
      fc.assert(property, { numRuns: 5_000 });
    });
  });
}
