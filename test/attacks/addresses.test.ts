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
import { creditToken, msgpack, native, protobuf, type SegmentFormat } from "@messagepasser/protocol/formats";
import { describe, expect, test } from "vitest";
import { formatLink, rawLink } from "../sockets/raw-links.ts";
import { batchOf, openTo } from "../support/batches.ts";
import { newSession } from "../support/credentials.ts";
import { type AnyLink, type FrameLink, frameReading, readingOf } from "../support/readings.ts";
import { underAttack } from "./victims.ts";

const victims = underAttack();

/** The first of the bystanders' Connections, as each end's frames would name it. */
const theirs = [1, openerBit + 1];
const payload = new Uint8Array([7]);
const data = { kind: "data", last: true, text: false, offset: 0, payload } as const;

/** Every frame that an end may send, for one of the bystanders' Connections. */
function framesFor(connection: number): (ControlFrame | DataFrame)[] {
  return [
    { ...data, connection },
    { kind: "credit", connection, received: 0, limit: limits.maxOffset },
    { kind: "credit", connection, received: 0, limit: limits.maxOffset },
    { kind: "reset", connection, code: 101, reason: "" },
    { kind: "reset", connection, code: 103, reason: "" },
    { kind: "fin", connection, offset: 0 },
    { kind: "stop", connection },
    { kind: "done", connection },
    { kind: "yield", connection, granted: 0, limit: 0 },
  ];
}

/** A batch of one frame for each of some addresses. */
function batchFor(format: SegmentFormat, addresses: readonly number[], frame: ControlFrame | DataFrame): Uint8Array {
  const bytes = format.encode(frame);
  return batchOf(...addresses.map((address) => [address, bytes] as const));
}

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, at) => first + at);

describe.for([native, msgpack, protobuf])("an attacker that speaks $subprotocol", (format) => {
  const connect = (): Promise<FrameLink> => formatLink(victims, "mallory", format.subprotocol, frameReading(format));

  test(`an attacker that speaks ${format.subprotocol} reaches no link at the first thousand addresses, not even its own, with any frame`, async () => {
    using link = await connect();
    await link.nextOf("welcome");
    for (const frame of theirs.flatMap(framesFor)) {
      link.send(batchFor(format, range(1, 1_000), frame));
      const heard = await link.until((item) => item.kind === "gone" && item.address === 1_000);
      // One answer for all, so that none of them is told from an address that was never used.
      const gone = range(1, 1_000).map((address) => ({ kind: "gone", address, reason: goneReasons.lost }));
      expect(heard).toEqual(gone);
    }
  });

  test(`an attacker that speaks ${format.subprotocol} reaches only the built-in peers in their range, and no other link is told`, async () => {
    using link = await connect();
    const reset = { kind: "reset", connection: 1, code: 103, reason: "" } as const;
    link.send(batchFor(format, range(0xffff_fe00, 512), reset));
    const heard = await link.until((item) => item.kind === "gone" && item.address === 0xffff_ffff);
    const gone = heard.filter((item) => item.kind === "gone").map(({ address }) => address);
    expect(gone).toEqual([...range(0xffff_fe00, 256), ...range(0xffff_ff07, 249)]);
    // They know of no such Connection, and remember nothing.
    expect(heard.filter(({ kind }) => kind === "done").length).toBe(7);
  });

  test(`an attacker that speaks ${format.subprotocol} is never taken for the router: frames that only the router may send end its link`, async () => {
    const session = "1".repeat(32);
    for (const frame of [
      { kind: "welcome", session, name: "alice", realm: "default", budget: 1 },
      { kind: "gone", address: 2, reason: 1 },
      { kind: "paired", address: 2, session, peer: "bob" },
      { kind: "routed", connection: 1, address: 2, session, peer: "bob" },
      { kind: "closing", code: 1000, delayMs: 0, reason: "" },
      { kind: "rulesChanged", address: 2 },
    ] satisfies ControlFrame[]) {
      using link = await connect();
      link.send(batchFor(format, [routerAddress], frame));
      expect((await link.closed()).code).toBe(closeCodes.malformed);
    }
  });

  test(`an attacker that speaks ${format.subprotocol} gets no answer to a check of a pair that isn't its own`, async () => {
    using link = await connect();
    for (const address of range(1, 50))
      link.send(batchFor(format, [routerAddress], { kind: "check", address, opener: 0, protocol: "echo" }));
    link.send(batchFor(format, [routerAddress], { kind: "list", request: 1, cursor: "" }));
    const heard = await link.until(({ kind }) => kind === "peers");
    expect(heard.filter(({ kind }) => kind === "denied")).toEqual([]);
  });
});

describe("an attacker that names its peers", () => {
  const connectByName = (subprotocol: string): Promise<AnyLink> =>
    formatLink(victims, "mallory", subprotocol, readingOf(subprotocol));

  test("an attacker that names its peers in JSON reaches no peer that it never opened to, by any frame or token", async () => {
    using link = await connectByName("mp.v1.json");
    expect(await link.next()).toMatchObject({ type: "welcome" });
    const frames = [
      { type: "data", text: "x" },
      { type: "accept" },
      { type: "end" },
      { type: "stop" },
      { type: "done" },
      { type: "close" },
      { type: "reset" },
      { type: "credit", limit: 9 },
    ];
    for (const peer of ["alice", "bob"]) {
      // A Connection of mallory's that isn't, and where the peer is its opener, one that is another's.
      for (const connection of [`${peer}:1`, "mallory:1"]) {
        for (const frame of frames) {
          link.json({ ...frame, peer, connection });
          link.json({ type: "list" });
          const heard = await link.until(({ type }) => type === "peers");
          expect(heard.map(({ type }) => type)).toEqual(["gone", "peers"]);
        }
      }
    }
    for (const address of range(1, 50)) link.json({ type: "reached", token: creditToken(address, 1, 1_000) });
    link.json({ type: "list" });
    expect(await link.next()).toMatchObject({ type: "peers" });
  });

  test("an attacker on the original's wire reaches no client, and can't take another name", async () => {
    const say = (link: AnyLink, Meta: number, OtherClient: string, ConnectionID = ""): void => {
      link.send(`${JSON.stringify({ Meta, OtherClient, ConnectionID, Data: null })}\n`);
    };
    using link = await connectByName("mp.v0.json");
    for (const meta of [0, 2, 3, 6, 7]) {
      for (const peer of ["alice", "bob"]) {
        say(link, meta, peer, `${peer}:0`);
        // Asking who it is, is answered in order.
        say(link, 8, "mallory");
        const heard = await link.until(({ Meta }) => Meta === 9);
        expect(heard.map(({ Meta }) => Meta)).toEqual([4, 9]);
      }
    }
    say(link, 8, "alice");
    expect(await link.next()).toMatchObject({ Meta: 10 });
  });
});

describe("forged sessions", () => {
  const absentIn = async (link: FrameLink, session: string, peer: string): Promise<unknown> => {
    link.toRouter({ kind: "resume", session, peer });
    return await link.hear("absent", "paired");
  };

  test("a resume with a forged session pairs with no client", async () => {
    using mallory = await rawLink(victims, "mallory");
    for (let times = 0; times < 200; times++) {
      const answer = await absentIn(mallory, randomBytes(16).toString("hex"), times % 2 === 0 ? "alice" : "bob");
      expect(answer).toMatchObject({ kind: "absent", reason: goneReasons.lost });
    }
    for (const peer of ["alice", "bob", "nobody"])
      expect(await absentIn(mallory, anySession, peer)).toMatchObject({ kind: "absent" });
  });

  test("a resume with a client's real session pairs, and gives none of that client's Connections", async () => {
    using mallory = await rawLink(victims, "mallory", newSession());
    const { session } = await sessionOf("bob");
    expect(await absentIn(mallory, session, "bob")).toMatchObject({ kind: "paired" });
    mallory.toRouter(openTo("bob", { connection: 9, session, protocol: "none", limit: 0 }));
    const { address } = await mallory.hear("routed");
    for (const connection of [...range(1, 8), ...range(openerBit + 1, 8)])
      for (const frame of framesFor(connection)) {
        mallory.say(address, frame);
      }
    await victims.expectUnharmed();
    const heard = await mallory.hearAll();
    expect(heard.filter(({ kind }) => ["data", "credit"].includes(kind))).toEqual([]);
  });

  async function sessionOf(peer: string): Promise<{ session: string }> {
    using asking = await rawLink(victims, "asking");
    asking.toRouter(openTo(peer, { protocol: "$ping", limit: 0 }));
    return await asking.hear("routed");
  }
});
