import { ProtocolError } from "@messagepasser/protocol";
import { formats } from "@messagepasser/protocol/formats";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CrossingItem, Stranger } from "../routing/crossing-item.ts";
import { batchOf } from "../../test/support/batches.ts";
import { decodeAnswer, decodeCall, encodeAnswer, encodeCall } from "./call.ts";

const u32 = fc.nat(0xffff_ffff);
const name = fc.string({ unit: "grapheme", maxLength: 20 });
const session = fc.bigInt(0n, 2n ** 128n - 1n).map((number) => number.toString(16).padStart(32, "0"));
/** What an address says of its link is always the same. */
const grant = { host: "büro", peer: "*", protocol: "chat", serves: ["a", "b*"], expiresAtMs: 2 ** 45 };
const tokens = [
  {},
  { open: [] },
  {
    open: [
      { peer: "bob", protocol: "files/*" },
      { peer: "*", protocol: "chat" },
    ],
    serve: ["a", "b*"],
  },
].map((rights) => ({ key: "shop", expiresAtMs: 2 ** 45, rights }));
const narrowings = [{}, { grant }, ...tokens.map((token) => ({ token }))];
const strangers: readonly Stranger[] = formats.flatMap((format, at) =>
  narrowings.map((narrowing, which) => ({
    address: 10 * at + which,
    session: String(at).repeat(32),
    name: `name ${at}`,
    instance: which === 0 ? "" : "desk",
    format,
    grant: undefined,
    token: undefined,
    ...narrowing,
  })),
);
const who = fc.constantFrom(...strangers);
const there = fc.record({ who, sinceMs: fc.nat(Number.MAX_SAFE_INTEGER), services: fc.array(name, { maxLength: 3 }) });

const item: fc.Arbitrary<CrossingItem> = fc.oneof(
  fc.record({
    kind: fc.constant("segment" as const),
    who,
    bytes: fc.tuple(u32, fc.uint8Array()).map(([to, bytes]) => batchOf([to, bytes])),
  }),
  fc.record({
    kind: fc.constant("open" as const),
    who,
    frame: fc.record({
      kind: fc.constant("open" as const),
      connection: u32,
      address: u32,
      session,
      peer: name,
      protocol: name,
      limit: fc.nat(Number.MAX_SAFE_INTEGER),
      metadata: fc.constant({ key: "value" }),
      flags: fc.nat(255),
      first: fc.uint8Array(),
    }),
  }),
  fc.record({
    kind: fc.constant("resume" as const),
    who,
    frame: fc.record({ kind: fc.constant("resume" as const), session, peer: name }),
  }),
  fc.record({
    kind: fc.constant("list" as const),
    who,
    frame: fc.record({ kind: fc.constant("list" as const), request: u32, cursor: name }),
  }),
  fc.record({
    kind: fc.constant("say" as const),
    to: u32,
    frame: fc.record({ kind: fc.constant("absent" as const), session, reason: fc.nat(255), peer: name }),
    who: fc.option(fc.record({ link: who, callsByLabel: fc.boolean() }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("gone" as const), address: u32, reason: fc.nat(255), to: fc.array(u32) }),
  fc.record({ kind: fc.constant("fault" as const), to: u32, problem: name }),
  fc.record({ kind: fc.constant("subscribe" as const), patterns: fc.array(name) }),
  fc.record({
    kind: fc.constant("roster" as const),
    who,
    frame: fc.record({ request: u32, pattern: name, after: u32, limit: fc.nat(65_535) }),
  }),
  fc.record({ kind: fc.constant("sessions" as const), to: u32, request: u32, next: u32, sessions: fc.array(there) }),
  fc.record({
    kind: fc.constant("presence" as const),
    change: fc.constantFrom("joined", "changed", "left"),
    session: there,
  }),
);

const call = fc.record({
  from: fc.nat(1_023),
  shards: fc.nat(1_023),
  number: fc.nat(Number.MAX_SAFE_INTEGER),
  life: fc.nat(Number.MAX_SAFE_INTEGER),
  seq: u32,
  isAgain: fc.boolean(),
  items: fc.array(item),
});

test("a call is read as it was written", () => {
  fc.assert(
    fc.property(call, (written) => {
      expect(decodeCall(encodeCall(written))).toEqual(written);
    }),
  );
});

test("a call names each link once, however much it has sent", () => {
  const [alice] = strangers;
  if (alice === undefined) throw new Error("There are no formats");
  const segment = { kind: "segment", who: alice, bytes: batchOf([2, Uint8Array.of(1)]) } as const;
  const lengthOf = (count: number): number =>
    encodeCall({
      from: 0,
      shards: 2,
      number: 1,
      life: 1,
      seq: 1,
      isAgain: false,
      items: Array.from({ length: count }, () => segment),
    }).length;
  expect(lengthOf(10) - lengthOf(9)).toBe(1 + 2 + 4 + segment.bytes.length);
});

test("bytes that are no call are refused, whatever they are", () => {
  fc.assert(
    fc.property(call, fc.nat(), fc.nat(255), fc.boolean(), (written, at, value, isCut) => {
      const bytes = encodeCall(written);
      const changed = isCut ? bytes.slice(0, at % bytes.length) : bytes.with(at % bytes.length, value);
      try {
        decodeCall(changed);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    }),
  );
});

test("an answer is read as it was written, and one that can't be read is 0", () => {
  expect(decodeAnswer(encodeAnswer(2 ** 40))).toBe(2 ** 40);
  for (const bytes of [[], [1], [3, 0, 0, 0, 0, 0, 0, 0, 1]]) expect(decodeAnswer(Uint8Array.from(bytes))).toBe(0);
});
