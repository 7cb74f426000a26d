import { errorCodes, limits, flipOpenerBit, openerBit, type PeerFrame } from "@messagepasser/protocol";
import { native, uncountedOffset } from "@messagepasser/protocol/formats";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BuiltInPeer, builtInPeerAt, builtInPeerNamed } from "./built-in-peers.ts";
import { framesIn, joined } from "./encoding.ts";
import { peerKinds } from "../../test/support/frame-arbitraries.ts";

const names = ["$echo", "$sink", "$slow", "$source", "$reject", "$half-close", "$reset"];
/** Connection 1, as its opener calls it, and as a built-in peer does. */
const theirs = (1 | openerBit) >>> 0;
const connection = 1;

function named(name: string): BuiltInPeer {
  const builtInPeer = builtInPeerNamed(name);
  if (builtInPeer === undefined) throw new Error(`No ${name}`);
  return builtInPeer;
}

function opened(name: string, protocol = "p", limit: number = limits.firstWindowBytes): readonly object[] {
  return named(name).open({ connection, protocol, limit });
}

function data(fields: Partial<Extract<PeerFrame, { kind: "data" }>> = {}): PeerFrame {
  const payload = Uint8Array.of(1, 2, 3);
  return { kind: "data", connection: theirs, last: true, text: false, offset: 0, payload, ...fields };
}

const fin = (offset: number): PeerFrame => ({ kind: "fin", connection: theirs, offset });
const done = { kind: "done", connection } as const;
const accept = (limit: number): object => ({ kind: "credit", connection, received: 0, limit });
const credit = (received: number, limit: number): object => ({ kind: "credit", connection, received, limit });

describe("built-in peers", () => {
  test("built-in peers are found by name and by address, and no other name or address finds one", () => {
    for (const name of names) {
      const builtInPeer = named(name);
      expect(builtInPeer.name).toBe(name);
      expect(builtInPeerAt(builtInPeer.address)).toBe(builtInPeer);
      expect(builtInPeer.session).toMatch(/^[0-9a-f]{32}$/);
      expect(builtInPeer.resumes).toBe(name === "$echo");
    }
    expect(new Set(names.map((name) => named(name).address)).size).toBe(names.length);
    expect(new Set(names.map((name) => named(name).session)).size).toBe(names.length);
    for (const name of ["$Echo", "echo", "$", "", "__proto__", "constructor"])
      expect(builtInPeerNamed(name)).toBeUndefined();
    for (const address of [0, 1, 0xffff_feff, 0xffff_ff00 + names.length, 0xffff_ffff])
      expect(builtInPeerAt(address)).toBeUndefined();
  });

  test.for(names)("%s answers anything it is sent with readable frames about its own Connections", (name) => {
    // Offsets that no half gets to are refused before.
    const frame = fc
      .oneof(...peerKinds)
      .map((frame) => ("offset" in frame ? { ...frame, offset: Number(frame.offset) % 2 ** 50 } : frame) as PeerFrame);
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), (frames) => {
        const answers = named(name).answer(frames);
        const bytes = joined(answers.map(native.encode));
        expect(framesIn(native.peerFrames(bytes, 0, bytes.length)).map(({ kind }) => kind)).toEqual(
          answers.map(({ kind }) => kind),
        );
        const ids = new Set(frames.map((frame) => flipOpenerBit(frame.connection)));
        for (const answer of answers) expect(ids).toContain("connection" in answer ? answer.connection : undefined);
        // A built-in peer remembers nothing, so the same frames get the same answers again.
        expect(named(name).answer(frames)).toEqual(answers);
      }),
      { numRuns: 200 },
    );
  });

  test.for(names.filter((name) => name !== "$echo"))(
    "%s never answers a done, so two ends can't answer each other for ever",
    (name) => {
      expect(named(name).answer([{ kind: "done", connection: theirs }])).toEqual([]);
    },
  );
});

describe("$echo", () => {
  test("$echo accepts with the limit of the open", () => {
    expect(opened("$echo", "p", 5)).toEqual([accept(5)]);
  });

  test("$echo sends each frame back in order, as the other end of the Connection", () => {
    const frames: PeerFrame[] = [
      data({ text: true, last: false, offset: 7 }),
      data({ offset: undefined, connection: 9 }),
      { kind: "credit", connection: theirs, received: 1, limit: 2 },
      { kind: "yield", connection: theirs, granted: 9, limit: 5 },
      fin(19),
      { kind: "stop", connection: theirs },
      { kind: "done", connection: theirs },
    ];
    const back = frames.map((frame) => ({ ...frame, connection: flipOpenerBit(frame.connection) }));
    expect(named("$echo").answer(frames)).toEqual(back);
  });

  test("$echo answers a reset with done, since nothing comes after it", () => {
    expect(named("$echo").answer([{ kind: "reset", connection: theirs, code: 1, reason: "" }])).toEqual([done]);
  });
});

describe.for([
  ["$sink", limits.firstWindowBytes],
  ["$slow", 1_024],
] as const)("%s", ([name, window]) => {
  test(`${name} accepts with its window, and grants as much again for data that arrived`, () => {
    expect(opened(name)).toEqual([accept(window)]);
    expect(named(name).answer([data(), data({ offset: undefined })])).toEqual([credit(38, 38 + window)]);
    expect(named(name).answer([data({ offset: 1_000 })])).toEqual([credit(1_019, 1_019 + window)]);
  });

  test(`${name} ends a Connection when its client does`, () => {
    const end = { kind: "fin", connection, offset: 0 };
    expect(named(name).answer([data(), fin(19)])).toEqual([credit(35, 35 + window), end, done]);
    // A sender that doesn't count gets no credit.
    expect(named(name).answer([data({ offset: undefined }), fin(uncountedOffset)])).toEqual([end, done]);
  });

  test(`${name} keeps a limit as it was when its client gives credit back`, () => {
    const [answer] = named(name).answer([{ kind: "yield", connection: theirs, granted: 500, limit: 100 }]);
    expect(answer).toEqual(credit(0, 501));
  });

  test(`${name} answers a reset with done, and credit with nothing`, () => {
    expect(named(name).answer([{ kind: "reset", connection: theirs, code: 1, reason: "" }])).toEqual([done]);
    expect(named(name).answer([{ kind: "credit", connection: theirs, received: 0, limit: 1 }])).toEqual([]);
  });
});

describe("$source", () => {
  test("$source sends as many messages as the protocol asks for, and ends", () => {
    const payload = Uint8Array.of(0, 1, 2);
    const message = { kind: "data", connection, last: true, text: false, payload };
    expect(opened("$source", "2x3")).toEqual([
      accept(limits.firstWindowBytes),
      { ...message, offset: 0 },
      { ...message, offset: 19 },
      { kind: "fin", connection, offset: 38 },
    ]);
    expect(opened("$source", "0x0")).toEqual([accept(limits.firstWindowBytes), { kind: "fin", connection, offset: 0 }]);
  });

  test.for(["", "x", "1", "1x", "x1", "-1x1", "1x-1", "1.5x1", "0x1x1", " 1x1", "1x1 ", "1X1", "1e3x1", "9999999x1"])(
    '$source knows no protocol "%s"',
    (protocol) => {
      expect(opened("$source", protocol)).toMatchObject([{ kind: "reset", code: errorCodes.unknownProtocol }]);
    },
  );

  test.for([
    ["1025x0", 2 ** 30],
    // 16 bytes more than 1 MiB.
    ["16x65521", 2 ** 30],
    ["1x65537", 2 ** 30],
    ["999999x9999999", limits.maxOffset],
    // The fin has to fit too.
    ["1x84", 115],
    ["0x0", 15],
  ] as const)("$source rejects %s with a limit of %i", ([protocol, limit]) => {
    expect(opened("$source", protocol, limit)).toMatchObject([{ kind: "reset", code: errorCodes.rejected }]);
  });

  test.for([
    ["1024x0", 2 ** 30, 1_024],
    ["16x65520", 2 ** 30, 16],
    ["1x65536", 2 ** 30, 1],
    ["1x84", 116, 1],
    ["0x0", 16, 0],
  ] as const)("$source takes %s with a limit of %i", ([protocol, limit, count]) => {
    expect(opened("$source", protocol, limit)).toHaveLength(count + 2);
  });

  test("$source reads data without a word, and answers a fin with over", () => {
    const window = limits.firstWindowBytes;
    expect(named("$source").answer([data(), fin(19)])).toEqual([credit(35, 35 + window), done]);
  });
});

describe("$half-close", () => {
  test("$half-close sends one message and ends its half", () => {
    const payload = new TextEncoder().encode("no more from here");
    expect(opened("$half-close", "p", 49)).toEqual([
      accept(limits.firstWindowBytes),
      { kind: "data", connection, last: true, text: true, offset: 0, payload },
      { kind: "fin", connection, offset: 33 },
    ]);
  });

  test("$half-close rejects an open whose limit has no room for its message", () => {
    expect(opened("$half-close", "p", 48)).toMatchObject([{ kind: "reset", code: errorCodes.rejected }]);
  });

  test("$half-close reads on until its client ends", () => {
    const window = limits.firstWindowBytes;
    expect(named("$half-close").answer([data()])).toEqual([credit(19, 19 + window)]);
    expect(named("$half-close").answer([fin(19)])).toEqual([credit(35, 35 + window), done]);
  });
});

describe("$reject", () => {
  test.for([
    ["p", errorCodes.rejected],
    ["0", errorCodes.rejected],
    ["107", 107],
    ["65535", 65_535],
    ["65536", errorCodes.rejected],
    ["0107", errorCodes.rejected],
    ["107 ", errorCodes.rejected],
  ] as const)('$reject answers the protocol "%s" with the code %i', ([protocol, code]) => {
    expect(opened("$reject", protocol)).toEqual([{ kind: "reset", connection, code, reason: expect.any(String) }]);
  });

  test("$reject knows no Connection afterwards", () => {
    expect(named("$reject").answer([data(), fin(19)])).toEqual([done, done]);
  });
});

describe("$reset", () => {
  test("$reset accepts, and resets at the first data", () => {
    expect(opened("$reset")).toEqual([accept(limits.firstWindowBytes)]);
    const reset = { kind: "reset", connection, code: errorCodes.aborted, reason: expect.any(String) };
    expect(named("$reset").answer([data()])).toEqual([reset]);
    expect(named("$reset").answer([data({ offset: undefined, last: false })])).toEqual([reset]);
  });

  test("$reset answers frames that end the Connection without data with done", () => {
    expect(named("$reset").answer([fin(0)])).toEqual([done]);
    expect(named("$reset").answer([{ kind: "reset", connection: theirs, code: 1, reason: "" }])).toEqual([done]);
    expect(named("$reset").answer([{ kind: "credit", connection: theirs, received: 0, limit: 1 }])).toEqual([]);
  });
});
