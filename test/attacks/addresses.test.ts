import { randomBytes } from "node:crypto";
import {
  anySession,
  closeCodes,
  type ControlFrame,
  type DataFrame,
  goneReasons,
  limits,
  openerBit,
  routerAddress,
} from "@messagepasser/protocol";
import { creditToken, msgpack, native, protobuf } from "@messagepasser/protocol/formats";
import { describe, expect, test } from "vitest";
import { RawLink } from "../sockets/raw-link.ts";
import { batchFor, batchReader, FormatLink, jsonReader } from "./format-link.ts";
import { underAttack } from "./victims.ts";

const victims = underAttack();

/** The first of the bystanders' Connections, as each end's frames would name it. */
const theirs = [1, openerBit + 1];
const payload = new Uint8Array([7]);
const data = { kind: "data", last: true, text: false, offset: 0, payload } as const;

/** All that an end may say, for one of the bystanders' Connections. */
function framesFor(connection: number): (ControlFrame | DataFrame)[] {
  return [
    { ...data, connection },
    { kind: "position", connection, received: 0, limit: limits.maxOffset },
    { kind: "credit", connection, received: 0, limit: limits.maxOffset },
    { kind: "reject", connection, code: 101, reason: "" },
    { kind: "reset", connection, code: 103, reason: "" },
    { kind: "fin", connection, offset: 0 },
    { kind: "stop", connection },
    { kind: "over", connection },
    { kind: "yield", connection, from: 0, limit: 0 },
  ];
}

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, at) => first + at);

describe.for([native, msgpack, protobuf])("an attacker that speaks $subprotocol", (format) => {
  const connect = (): Promise<FormatLink<ReturnType<ReturnType<typeof batchReader>>[number]>> =>
    FormatLink.connect(victims, "mallory", format.subprotocol, batchReader(format));

  test("reaches none of the links at the first thousand addresses, nor its own, with any frame", async () => {
    using link = await connect();
    for (const frame of theirs.flatMap(framesFor)) {
      link.heard.length = 0;
      link.socket.send(batchFor(format, range(1, 1_000), frame));
      await link.hear((heard) => heard.kind === "gone" && heard.address === 1_000);
      // One answer for all, so that none of them is told from an address that was never used.
      const gone = range(1, 1_000).map((address) => ({ kind: "gone", address, reason: goneReasons.lost }));
      expect(link.heard.filter(({ kind }) => kind !== "welcome" && kind !== "mark")).toEqual(gone);
    }
  });

  test("reaches nobody but the router's own peers in their range, and nobody else hears of it", async () => {
    using link = await connect();
    const reset = { kind: "reset", connection: 1, code: 103, reason: "" } as const;
    link.socket.send(batchFor(format, range(0xffff_fe00, 512), reset));
    await link.hear((heard) => heard.kind === "gone" && heard.address === 0xffff_ffff);
    const gone = link.heard.filter((heard) => heard.kind === "gone").map(({ address }) => address);
    expect(gone).toEqual([...range(0xffff_fe00, 256), ...range(0xffff_ff07, 249)]);
    // They know of no such Connection, and remember nothing.
    expect(link.heard.filter(({ kind }) => kind === "over").length).toBe(7);
  });

  test("is not heard as the router: what only it may say ends the attacker's link", async () => {
    const session = "1".repeat(32);
    const early = new Uint8Array();
    for (const frame of [
      { kind: "welcome", session, name: "alice", realm: "default", budget: 1 },
      { kind: "gone", address: 2, reason: 1 },
      { kind: "paired", address: 2, session, peer: "bob" },
      { kind: "routed", connection: 1, address: 2, session },
      {
        kind: "incoming",
        connection: 1,
        address: 1,
        session,
        peer: "alice",
        protocol: "echo",
        limit: 1,
        metadata: {},
        early,
      },
      { kind: "closing", code: 1000, delayMs: 0, reason: "" },
      { kind: "changed", address: 2 },
    ] satisfies ControlFrame[]) {
      using link = await connect();
      link.socket.send(batchFor(format, [routerAddress], frame));
      expect(await link.closed).toBe(closeCodes.malformed);
    }
  });

  test("gets no answer to a check of a pair that isn't its own", async () => {
    using link = await connect();
    for (const address of range(1, 50))
      link.socket.send(batchFor(format, [routerAddress], { kind: "check", address, opener: 0, protocol: "echo" }));
    link.socket.send(batchFor(format, [routerAddress], { kind: "list", request: 1, cursor: "" }));
    await link.hear((heard) => heard.kind === "peers");
    expect(link.heard.filter(({ kind }) => kind === "denied")).toEqual([]);
  });
});

describe("an attacker that names its peers", () => {
  test("in JSON reaches nobody whom it never opened to, by any frame or token", async () => {
    interface Heard {
      readonly type: string;
      readonly peer?: string;
    }
    using link = await FormatLink.connect<Heard>(victims, "mallory", "mp.v1.json", jsonReader);
    await link.hear(({ type }) => type === "welcome");
    const frames = [
      { type: "data", text: "x" },
      { type: "accept" },
      { type: "reject" },
      { type: "end" },
      { type: "stop" },
      { type: "over" },
      { type: "close" },
      { type: "reset" },
      { type: "credit", limit: 9 },
    ];
    for (const peer of ["alice", "bob"]) {
      // A Connection of mallory's that isn't, and where the peer is its opener, one that is another's.
      for (const connection of [`${peer}:1`, "mallory:1"]) {
        for (const frame of frames) {
          link.heard.length = 0;
          link.socket.send(JSON.stringify({ ...frame, peer, connection }));
          link.socket.send('{"type":"list"}');
          await link.hear(({ type }) => type === "peers");
          expect(link.heard.filter(({ type }) => type !== "mark").map(({ type }) => type)).toEqual(["gone", "peers"]);
        }
      }
    }
    for (const address of range(1, 50))
      link.socket.send(JSON.stringify({ type: "reached", token: creditToken(address, 1, 1_000) }));
    link.heard.length = 0;
    link.socket.send('{"type":"list"}');
    expect((await link.hear(({ type }) => type !== "mark")).type).toBe("peers");
  });

  test("on the original's wire reaches nobody, and is nobody but who it is", async () => {
    interface Heard {
      readonly Meta: number;
      readonly OtherClient: string;
    }
    const say = (link: FormatLink<Heard>, Meta: number, OtherClient: string, ConnectionID = ""): void => {
      link.socket.send(`${JSON.stringify({ Meta, OtherClient, ConnectionID, Data: null })}\n`);
    };
    using link = await FormatLink.connect<Heard>(victims, "mallory", "mp.v0.json", jsonReader);
    for (const meta of [0, 2, 3, 6, 7]) {
      for (const peer of ["alice", "bob"]) {
        link.heard.length = 0;
        say(link, meta, peer, `${peer}:0`);
        // Asking who it is, is answered in order.
        say(link, 8, "mallory");
        await link.hear(({ Meta }) => Meta === 9);
        expect(link.heard.filter(({ Meta }) => Meta !== 9).map(({ Meta }) => Meta)).toEqual([4]);
      }
    }
    say(link, 8, "alice");
    expect(await link.hear(({ Meta }) => Meta === 10)).toBeDefined();
  });
});

describe("with forged sessions", () => {
  const absentIn = async (link: RawLink, session: string, peer: string): Promise<unknown> => {
    link.frame(routerAddress, { kind: "resume", session, peer });
    return await link.hear("absent", "paired");
  };

  test("a resume pairs with nobody", async () => {
    await using mallory = await RawLink.connect(victims, "mallory");
    for (let times = 0; times < 200; times++) {
      const answer = await absentIn(mallory, randomBytes(16).toString("hex"), times % 2 === 0 ? "alice" : "bob");
      expect(answer).toMatchObject({ kind: "absent", reason: goneReasons.superseded });
    }
    for (const peer of ["alice", "bob", "nobody"])
      expect(await absentIn(mallory, anySession, peer)).toMatchObject({ kind: "absent" });
  });

  test("the real one pairs, and gives none of that client's Connections", async () => {
    await using mallory = await RawLink.connect(victims, "mallory", { session: randomBytes(16).toString("hex") });
    const { session } = await sessionOf("bob");
    expect(await absentIn(mallory, session, "bob")).toMatchObject({ kind: "paired" });
    const early = new Uint8Array();
    const open = {
      kind: "open",
      connection: 9,
      session,
      peer: "bob",
      protocol: "none",
      limit: 0,
      metadata: {},
      early,
    } as const;
    mallory.frame(routerAddress, open);
    const { address } = await mallory.hear("routed");
    for (const connection of [...range(1, 8), ...range(openerBit + 1, 8)])
      for (const frame of framesFor(connection)) {
        if (frame.kind === "data") mallory.data(address, connection, 0, 1, payload);
        else mallory.frame(address, frame);
      }
    await victims.expectUnharmed();
    const heard = await mallory.hearAll();
    expect(heard.filter(({ kind }) => ["data", "credit", "position"].includes(kind))).toEqual([]);
  });

  async function sessionOf(peer: string): Promise<{ session: string }> {
    await using asking = await RawLink.connect(victims, "asking");
    const early = new Uint8Array();
    asking.frame(routerAddress, {
      kind: "open",
      connection: 1,
      session: anySession,
      peer,
      protocol: "none",
      limit: 0,
      metadata: {},
      early,
    });
    return await asking.hear("routed");
  }
});
