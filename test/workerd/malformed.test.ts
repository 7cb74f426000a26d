import { Buffer } from "node:buffer";
import {
  anySession,
  closeCodes,
  encodeBatch,
  goneReasons,
  limits,
  ProtocolError,
  RouterFrameReader,
  SegmentReader,
} from "@messagepasser/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import invalidVectors from "../../protocol/vectors/invalid.json" with { type: "json" };
import { Realm } from "./realm.ts";
import { framesOf, segment } from "../support/batches.ts";
import { type SegmentLink } from "../support/readings.ts";
import { expectTalk, pairUp } from "./pairs.ts";

type Hex = string | readonly (string | { readonly repeat: readonly (string | number)[] })[];

/** Bytes as vectors/README.md says that they are written. */
function fromHex(hex: Hex): Uint8Array {
  const pieces = (typeof hex === "string" ? [hex] : hex).map((piece) =>
    typeof piece === "string" ? piece : String(piece.repeat[0]).repeat(Number(piece.repeat[1])),
  );
  return new Uint8Array(Buffer.from(pieces.join("").replaceAll(" ", ""), "hex"));
}

/** How far the router reads: segments, and frames only where they are for it. */
function problemForRouter(batch: Uint8Array): ProtocolError | "bye" | undefined {
  try {
    const segments = new SegmentReader(batch);
    let [lists, measures] = [0, 0];
    while (segments.next()) {
      if (segments.address !== 0) continue;
      const frames = new RouterFrameReader(batch, segments.start, segments.end);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        if (frame.kind === "bye") return "bye";
        if (frame.kind === "list" && ++lists > 1) throw new ProtocolError("A second list", frames.position);
        if (frame.kind === "measure" && ++measures > 1) throw new ProtocolError("A second measure", frames.position);
      }
    }
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}

const realm = new Realm();
/** Go on talking whatever Mallory sends. */
let alice: SegmentLink;
let bob: SegmentLink;
let bystanders: { from: number; to: number };
/** Talks with Mallory, and hears of her end. */
let victim: SegmentLink;
let secret: string;
let mallory: SegmentLink;
let malloryAddress: number;
let victimAddress: number;

beforeAll(async () => {
  alice = await realm.join("alice");
  bob = await realm.join("bob");
  bystanders = await pairUp(alice, bob);
  victim = await realm.join("victim");
  ({ secret } = await realm.add("mallory"));
});

beforeEach(async () => {
  await newMallory();
  return async () => {
    await expectTalk(alice, bob, bystanders);
    mallory[Symbol.dispose]();
  };
});

afterAll(() => {
  for (const link of [alice, bob, victim]) link[Symbol.dispose]();
});

/** A new link for Mallory, paired with the victim, who forgets the one before. */
async function newMallory(): Promise<void> {
  mallory = await realm.link("mallory", secret);
  mallory.open("victim");
  for (;;) {
    const heard = await victim.next();
    if (heard.kind !== "open") continue;
    malloryAddress = heard.address;
    break;
  }
  ({ address: victimAddress } = await mallory.nextOf("routed"));
}

async function expectCutOff(reason: string): Promise<void> {
  expect(await mallory.closedByRouter()).toEqual({ code: closeCodes.malformed, reason });
  expect(await victim.next()).toEqual({ kind: "gone", address: malloryAddress, reason: goneReasons.lost });
}

const batches = invalidVectors
  .filter(({ range }) => range === "batch")
  .map((vector) => ({ ...vector, bytes: fromHex(vector.hex) }));
const forRouter = batches.filter(({ bytes }) => problemForRouter(bytes) instanceof ProtocolError);
const behindBye = batches.filter(({ bytes }) => problemForRouter(bytes) === "bye");
const forPeers = batches.filter(({ bytes }) => problemForRouter(bytes) === undefined);

describe("a link that sends an invalid batch of the vectors", () => {
  test("the invalid batches of the vectors are all tested, in the three kinds below", () => {
    expect(forRouter.length + behindBye.length + forPeers.length).toBe(batches.length);
    for (const kind of [forRouter, behindBye, forPeers]) expect(kind.length).toBeGreaterThan(0);
  });

  test.for(forRouter)(
    "an invalid batch closes the link with the rule and the place: $comment",
    async ({ bytes, error }) => {
      mallory.send(bytes);
      await expectCutOff(error);
    },
  );

  test.for(behindBye)(
    "a batch that is invalid behind a bye ends the session, and without the bye closes the link for the rest: $comment",
    async ({ bytes, error }) => {
      mallory.send(bytes);
      expect(await mallory.closedByRouter()).toEqual({ code: 1000, reason: "Bye" });
      expect(await victim.next()).toEqual({ kind: "gone", address: malloryAddress, reason: goneReasons.ended });
      await newMallory();
      // A frame of an unknown type that may be ignored, of the same length.
      const withoutBye = bytes.with(8, 0xbf);
      mallory.send(withoutBye);
      await expectCutOff(error);
    },
  );

  test.for(forPeers)(
    "a batch that only the other end can find invalid reaches that end, and the link stays: $comment",
    async ({ bytes }) => {
      mallory.send(bytes);
      const heard = await mallory.nextOf("gone");
      expect(heard).toEqual({ kind: "gone", address: 7, reason: goneReasons.lost });
      expect(await mallory.outcome()).toBe("open");
      const segments = new SegmentReader(bytes);
      segments.next();
      const frames = bytes.slice(segments.start, segments.end);
      mallory.toPeer(victimAddress, frames);
      expect(await victim.next()).toEqual({ kind: "segment", from: malloryAddress, bytes: frames });
    },
  );
});

test.for(invalidVectors.filter(({ range }) => range === "router"))(
  "an invalid frame to the router closes the link: $comment",
  async ({ hex, error }) => {
    const bytes = segment(0, fromHex(hex));
    const problem = problemForRouter(bytes);
    if (problem === "bye" || problem === undefined) {
      // A good frame stood before, or the frame is bad only in the router's mouth: either way it must not go unanswered.
      mallory.send(bytes);
      expect(await mallory.outcome()).not.toBe("open");
      return;
    }
    mallory.send(bytes);
    const { code, reason } = await mallory.closedByRouter();
    expect(code).toBe(closeCodes.malformed);
    // A frame before the bad one may be refused already, since only the router sends it.
    if (!reason.includes("is the router's to send")) expect(reason).toBe(problem.message);
    // The place counts from the start of the batch, the vector's from the start of the segment's frames.
    expect(problem.message).toBe(error.replace(/\d+$/, (at) => String(Number(at) + 8)));
    expect(await victim.next()).toEqual({ kind: "gone", address: malloryAddress, reason: goneReasons.lost });
  },
);

test("every truncation of a valid batch closes the link at the cut, after the whole part has arrived", async () => {
  const pieces = (): Uint8Array[] => [
    segment(victimAddress, Uint8Array.of(1, 2, 3)),
    // A list and a frame that may be ignored.
    segment(0, Uint8Array.of(...framesOf({ kind: "list", request: 7, cursor: "é" }), 0xbf, 0, 0, 2, 1, 2)),
    segment(victimAddress, Uint8Array.of(4, 5, 6, 7)),
  ];
  const whole = pieces().reduce((sum, { length }) => sum + length, 0);
  for (let length = 1; length <= whole; length++) {
    const batch = Uint8Array.from(pieces().flatMap((piece) => [...piece])).subarray(0, length);
    mallory.send(batch);
    let start = 0;
    let isCut = false;
    const expectedAtVictim: Uint8Array[] = [];
    for (const piece of pieces()) {
      if (start + piece.length > length) {
        isCut = start < length;
        break;
      }
      if (piece[3] === victimAddress) expectedAtVictim.push(piece.subarray(8));
      start += piece.length;
    }
    for (const bytes of expectedAtVictim) {
      expect(await victim.next()).toEqual({ kind: "segment", from: malloryAddress, bytes });
    }
    if (isCut) {
      const problem = length - start < 8 ? "Truncated segment header" : "Segment longer than its batch";
      await expectCutOff(`${problem} at byte ${start}`);
    } else {
      expect(await mallory.outcome()).toBe("open");
    }
    await newMallory();
  }
});

test("every truncation of an open closes the link, and opens nothing", async () => {
  const open = {
    kind: "open",
    connection: 9,
    session: anySession,
    peer: "victim",
    protocol: "p",
    limit: 1,
    metadata: { k: "v" },
  } as const;
  const frame = framesOf({ ...open, address: 0, flags: 0, first: new Uint8Array() });
  for (let length = 1; length < frame.length; length++) {
    mallory.send(segment(0, frame.subarray(0, length)));
    expect(await mallory.closedByRouter()).toMatchObject({
      code: closeCodes.malformed,
      reason: expect.stringMatching(/ at byte \d+$/),
    });
    expect(await victim.next()).toMatchObject({ kind: "gone", address: malloryAddress });
    await newMallory();
  }
});

test("random bytes close the link or are answered, and never make the router fail", async () => {
  const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
  const header = (address: number, bytes: Uint8Array): Uint8Array => segment(address, bytes);
  const frame = fc
    .tuple(
      fc.oneof(fc.integer({ min: 0, max: 0x0f }), fc.integer({ min: 0, max: 255 })),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([type, body]) => Uint8Array.of(type, 0, 0, body.length, ...body));
  // Of a number that no question after a batch has.
  const list = fc.constant(framesOf({ kind: "list", request: 0, cursor: "" }));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(u32, fc.uint8Array({ maxLength: 60 })).map(([address, body]) => header(address, body)),
    fc
      .array(fc.oneof({ weight: 3, arbitrary: frame }, list), { maxLength: 4 })
      .map((frames) => header(0, Uint8Array.from(frames.flatMap((each) => [...each])))),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (batch) => {
      const problem = problemForRouter(batch);
      mallory.send(batch);
      const outcome = await mallory.outcome();
      if (problem === "bye") expect(outcome).toEqual({ code: 1000, reason: "Bye" });
      else if (problem !== undefined) expect(outcome).toMatchObject({ code: closeCodes.malformed });
      else if (outcome !== "open") {
        // Well-formed, but a frame that is the router's to send.
        expect(outcome).toMatchObject({
          code: closeCodes.malformed,
          reason: expect.stringContaining("the router's to send"),
        });
      }
      if (outcome !== "open") await newMallory();
    }),
    { numRuns: 300 },
  );
});

test("a batch of the most bytes is passed on, and a byte more is refused before anything in it is read", async () => {
  const most = new Uint8Array(limits.maxBatchBytes - 8);
  mallory.toPeer(victimAddress, most);
  expect(await victim.next()).toEqual({ kind: "segment", from: malloryAddress, bytes: most });
  mallory.toPeer(victimAddress, new Uint8Array(limits.maxBatchBytes - 7));
  await expectCutOff(`Batch of ${limits.maxBatchBytes + 1} bytes, at most ${limits.maxBatchBytes} allowed, at byte 0`);
});

test("a batch of the most segments is passed on, and one segment more closes the link at its header", async () => {
  const batchOf = (count: number): Uint8Array =>
    Uint8Array.from(Array.from({ length: count }, (_, at) => [...segment(victimAddress, Uint8Array.of(at))]).flat());
  const expectAll = async (): Promise<void> => {
    for (let at = 0; at < limits.maxSegments; at++) {
      expect(await victim.next()).toEqual({ kind: "segment", from: malloryAddress, bytes: Uint8Array.of(at) });
    }
  };
  mallory.send(batchOf(limits.maxSegments));
  await expectAll();
  expect(await mallory.outcome()).toBe("open");
  mallory.send(batchOf(limits.maxSegments + 1));
  await expectAll();
  await expectCutOff(`More than ${limits.maxSegments} segments at byte ${9 * limits.maxSegments}`);
});

test("a second list in a batch closes the link, after the first was answered", async () => {
  const [first, second] = [1, 2].map((request) => framesOf({ kind: "list", request, cursor: "" }));
  if (first === undefined || second === undefined) throw new Error("There are two");
  mallory.send(segment(0, first));
  expect(await mallory.nextOf("peers")).toMatchObject({ request: 1 });
  mallory.send(Uint8Array.of(...segment(0, first), ...segment(0, second)));
  expect(await mallory.nextOf("peers")).toMatchObject({ request: 1 });
  await expectCutOff("A second list in one message: it ends at byte 36");
});

test("a segment without frames is passed on to no link, and breaks nothing", async () => {
  mallory.toPeer(victimAddress, new Uint8Array());
  expect(await mallory.outcome()).toBe("open");
  await victim.expectNothing();
});

test("unused addresses are told once for a batch, in one message with the rest of its output, after the rest was routed", async () => {
  let messages = 0;
  mallory.socket.addEventListener("message", () => void messages++);
  const toNobody = (address: number): Uint8Array => segment(address, Uint8Array.of(1));
  const list = segment(0, framesOf({ kind: "list", request: 1, cursor: "" }));
  const [one, other] = [0xffff_fffe, 0xffff_ffff];
  mallory.send(Uint8Array.of(...toNobody(one), ...toNobody(other), ...toNobody(one), ...list, ...toNobody(other)));
  expect(await mallory.next()).toMatchObject({ kind: "peers" });
  for (const address of [one, other]) {
    expect(await mallory.next()).toEqual({ kind: "gone", address, reason: goneReasons.lost });
  }
  expect(messages).toBe(1);
  await mallory.expectNothing();
});

test("an empty message is a batch of no segments", async () => {
  mallory.send(new Uint8Array());
  expect(await mallory.outcome()).toBe("open");
});

test("a frame that only the router may send closes the link where the frame ends", async () => {
  mallory.send(encodeBatch(0, { kind: "gone", address: victimAddress, reason: 1 }));
  await expectCutOff(`Frame "gone" is the router's to send: it ends at byte 17`);
});
