import { randomBytes } from "node:crypto";
import { type ControlFrame, errorCodes, goneReasons, limits, openerBit } from "@messagepasser/protocol";
import type { Client, Connection } from "messagepasser";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type WebSocket from "ws";
import { dataFrame, openTo } from "../support/batches.ts";
import { newSession } from "../support/credentials.ts";
import type { FrameLink } from "../support/readings.ts";
import { rawLink } from "./raw-links.ts";
import { type Realm, startRealm } from "./realm.ts";
import { startSide } from "./side.ts";

// A client that breaks the rules by which Connections are taken up again and are held back, against one that doesn't;
// and a bystander, whose Connection must go on through all of it.

const bystanderPatienceMs = 10_000;

let realm: Realm;
let alice: Client;
let bob: Client;
let bystander: Connection;

beforeAll(async () => {
  realm = await startRealm();
  [alice, bob] = await Promise.all([realm.connect("alice"), realm.connect("bob")]);
  bob.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
  });
  bystander = await alice.open("bob", "echo");
});

afterEach(async () => {
  await expectBystander();
});

afterAll(async () => {
  await Promise.all([alice.close(), bob.close()]);
  await realm[Symbol.asyncDispose]();
});

/** The bystander's Connection carries messages, and nobody else's. */
async function expectBystander(): Promise<void> {
  const message = randomBytes(8).toString("hex");
  // Or each test after one that harmed it would wait in vain for as long as it may.
  const signal = AbortSignal.timeout(bystanderPatienceMs);
  await bystander.send(message, { signal });
  expect(await bystander.receive({ signal })).toBe(message);
}

function open(peer: string, protocol: string, connection = 1): ControlFrame {
  return openTo(peer, { protocol, connection, limit: 0 });
}

/** The session of a client, which it tells everybody who talks with it. */
async function sessionOf(name: string): Promise<string> {
  using mallory = await rawLink(realm, "mallory");
  mallory.toRouter(open(name, "$ping"));
  return (await mallory.hear("routed")).session;
}

/** A Connection of alice's, or of another client's, that mallory has accepted. */
async function withMallory(
  limit: number,
  session?: string,
  opener = alice,
): Promise<{
  mallory: FrameLink<WebSocket>;
  here: Connection;
  address: number;
  connection: number;
  openersSession: string;
}> {
  const mallory = await rawLink(realm, "mallory", session);
  const opening = opener.open("mallory", "x");
  const { address, connection, session: openersSession } = await mallory.hear("open");
  mallory.say(address, { kind: "credit", connection, received: 0, limit });
  return { mallory, here: await opening, address, connection, openersSession };
}

const limit = 10_000;

/** The same, after mallory was away. It was sent three frames of 100 bytes, of which it has acknowledged one. */
async function withMalloryBack(): Promise<{
  mallory: FrameLink<WebSocket>;
  here: Connection;
  address: number;
  connection: number;
}> {
  const session = newSession();
  const { mallory: first, here, ...before } = await withMallory(limit, session);
  const { connection, openersSession } = before;
  for (let count = 0; count < 3; count++) {
    await here.send(new Uint8Array(100 - limits.frameCostBytes));
    await first.hear("data");
  }
  first.say(before.address, { kind: "credit", connection, received: 100, limit });
  // The router has passed it on, or it would be lost with the link.
  await first.hearAll();
  const mallory = await rawLink(realm, "mallory", session);
  mallory.toRouter({ kind: "resume", session: openersSession, peer: "alice" });
  const { address } = await mallory.hear("paired");
  expect(await mallory.hear("credit")).toMatchObject({ connection: openerBit + connection, received: 0 });
  return { mallory, here, address, connection };
}

describe("another client's session", () => {
  test("an attacker with another client's session can't resume with other peers", async () => {
    const [alices, bobs] = [await sessionOf("alice"), await sessionOf("bob")];
    using mallory = await rawLink(realm, "mallory", newSession());
    const resume = async (session: string, peer: string): Promise<unknown> => {
      mallory.toRouter({ kind: "resume", session, peer });
      return await mallory.hear("absent", "paired");
    };
    const lost = { kind: "absent", reason: goneReasons.lost };
    expect(await resume(alices, "bob")).toMatchObject({ ...lost, session: alices });
    expect(await resume(newSession(), "bob")).toMatchObject(lost);
    expect(await resume(bobs, "nobody")).toMatchObject({ ...lost, session: bobs });
    expect(await resume(bobs, "a:b:c")).toMatchObject(lost);
    // With the right one the two are paired; there is only nothing for mallory to take up.
    const { address } = (await resume(bobs, "bob")) as { address: number };
    for (const connection of [1, openerBit + 1]) {
      mallory.say(address, { kind: "credit", connection, received: 0, limit: limits.maxOffset });
      expect(await mallory.hear("done", "data", "credit")).toMatchObject({ kind: "done" });
    }
  });

  test.each(["resume", "open"] as const)(
    "an attacker with another client's session gets none of its Connections by %s",
    async (way) => {
      const [alices, bobs] = [await sessionOf("alice"), await sessionOf("bob")];
      using mallory = await rawLink(realm, "mallory", alices);
      const frame =
        way === "open" ? open("bob", "echo", 99) : ({ kind: "resume", session: bobs, peer: "bob" } as const);
      mallory.toRouter(frame);
      const { address } = await mallory.hear("routed", "paired");
      // As if alice said it on the bystander's Connection.
      mallory.say(address, dataFrame(openerBit + 1, 0, new Uint8Array([7])));
      mallory.say(address, { kind: "reset", connection: openerBit + 1, code: errorCodes.aborted, reason: "" });
      await expectBystander();
      // Everything that bob says to mallory comes before its answer to alice.
      const heard = await mallory.hearAll();
      expect(heard.filter((frame) => "connection" in frame && frame.connection === 1 && frame.kind !== "done")).toEqual(
        [],
      );
      expect(heard.filter(({ kind }) => kind === "data")).toEqual([]);
    },
  );

  test("an attacker with another client's session gets none of its Connections while it is away", async () => {
    await using carol = await startSide(realm, "carol");
    const connection = await carol.client.open("bob", "echo");
    const [carols, bobs] = [await sessionOf("carol"), await sessionOf("bob")];
    carol.path.break();
    await carol.statuses.next("offline");
    using mallory = await rawLink(realm, "mallory", carols);
    mallory.toRouter({ kind: "resume", session: bobs, peer: "bob" });
    await mallory.hear("paired");
    carol.path.mend();
    await carol.statuses.next("resumed");
    await connection.send("still mine");
    expect(await connection.receive()).toBe("still mine");
    const heard = await mallory.hearAll();
    expect(heard.filter(({ kind }) => kind === "credit" || kind === "data")).toEqual([]);
  });
});

describe("a peer that is back", () => {
  type Rule = readonly [what: string, frames: (connection: number) => readonly ControlFrame[], reason: string];
  const credit = { kind: "credit", received: 100, limit } as const;
  const window = limits.firstWindowBytes;

  test.each<Rule>([
    [
      "a first credit for what was never sent",
      (connection) => [{ ...credit, connection, received: 400 }],
      "400 acknowledged, between 100 and 300,",
    ],
    [
      "a first credit below what it had acknowledged",
      (connection) => [{ ...credit, connection, received: 0 }],
      "0 acknowledged, between 100 and 300,",
    ],
    [
      "a first credit inside a frame",
      (connection) => [{ ...credit, connection, received: 150 }],
      "150 acknowledged, between 100 and 300,",
    ],
    [
      "a limit below what it was sent",
      (connection) => [{ ...credit, connection, limit: 299 }],
      "A limit of 299, after 300 were sent,",
    ],
    [
      "a FIN before its first credit",
      (connection) => [{ kind: "fin", connection, offset: 0 }],
      'Frame "fin" before the first credit',
    ],
    [
      "a stop before its first credit",
      (connection) => [{ kind: "stop", connection }],
      'Frame "stop" before the first credit',
    ],
    [
      "credit for what was never sent",
      (connection) => [
        { ...credit, connection },
        { ...credit, connection, received: 316 },
      ],
      "316 acknowledged, between 100 and 300,",
    ],
    [
      "a yield of more than it was granted",
      (connection) => [
        { ...credit, connection },
        { kind: "yield", connection, granted: window, limit: window + 1 },
      ],
      `A yield from ${window} to ${window + 1}`,
    ],
  ])(
    "a peer that is back and sends %s loses the Connection, and is told which rule it broke",
    async (_, frames, reason) => {
      const { mallory, here, address, connection } = await withMalloryBack();
      using __ = mallory;
      mallory.say(address, ...frames(connection));
      expect(await mallory.hear("reset")).toMatchObject({ code: errorCodes.violation, reason });
      expect(await here.closed).toMatchObject({ code: "violation", peer: "mallory" });
    },
  );

  test.each<readonly [string, (connection: number) => ControlFrame]>([
    ["credit", (connection) => ({ ...credit, connection, received: 2 ** 53 })],
    ["credit", (connection) => ({ ...credit, connection, limit: 2 ** 63 })],
  ])(
    "a peer that is back and sends a %s past the largest number loses all its Connections, as for any malformed frame",
    async (_, frame) => {
      const { mallory, here, address, connection } = await withMalloryBack();
      using __ = mallory;
      mallory.say(address, frame(connection));
      expect(await here.closed).toMatchObject({
        code: "violation",
        message: expect.stringContaining("malformed frames came") as string,
      });
    },
  );

  test("a credit below an earlier one changes nothing", async () => {
    const { mallory, here, address, connection } = await withMalloryBack();
    using __ = mallory;
    mallory.say(
      address,
      { ...credit, connection, received: 300 },
      { ...credit, connection, limit: limit - 1 },
      { ...credit, connection, limit: 0 },
    );
    // A limit that fell would hold it back.
    await here.send(new Uint8Array(limit - 300 - limits.frameCostBytes));
    expect(await mallory.hear("data")).toMatchObject({ offset: 300 });
    here.abort();
  });

  test("a yield of a limit that was raised or taken back meanwhile is ignored", async () => {
    const { mallory, here, address, connection } = await withMalloryBack();
    using __ = mallory;
    mallory.say(
      address,
      { ...credit, connection, received: 300 },
      { kind: "yield", connection, granted: window - 1, limit: 0 },
      { kind: "yield", connection, granted: limits.maxOffset, limit: limits.maxOffset },
    );
    mallory.say(address, { ...dataFrame(connection, 0, Buffer.from("no harm")), text: true });
    expect(await here.receive()).toBe("no harm");
    here.abort();
  });

  test("a peer that is back gets exactly the data that it lacks", async () => {
    const { mallory, here, address, connection } = await withMalloryBack();
    using __ = mallory;
    mallory.say(address, { ...credit, connection, received: 200 });
    const data = await mallory.hear("data");
    expect([data.offset, data.payload.length]).toEqual([200, 84]);
    await here.send("new");
    expect(Buffer.from((await mallory.hear("data")).payload).toString()).toBe("new");
    here.abort();
  });

  test("a peer that is back is ignored on its former link, and at its former address", async () => {
    await using carol = await startSide(realm, "carol");
    const session = newSession();
    const { mallory: first, here, ...before } = await withMallory(limit, session, carol.client);
    const { address, connection, openersSession } = before;
    // It would hear that mallory was away, and take up with it again before mallory has used the old address.
    carol.path.hold("down");
    using mallory = await rawLink(realm, "mallory", session);
    const reset = { kind: "reset", connection, code: errorCodes.aborted, reason: "" } as const;
    // ws still has it open, as its close takes a while to come.
    first.say(address, reset);
    mallory.say(address, reset);
    expect(await mallory.hear("gone")).toMatchObject({ address, reason: goneReasons.lost });
    mallory.toRouter({ kind: "resume", session: openersSession, peer: "carol" });
    const again = await mallory.hear("paired");
    mallory.say(again.address, { ...credit, connection, received: 0 });
    carol.path.release();
    await here.send("still open");
    await mallory.hear("data");
    here.abort();
  });
});

describe("a Connection that is over", () => {
  test.each<readonly [string, (connection: number) => ControlFrame]>([
    ["a reset", (connection) => ({ kind: "reset", connection, code: errorCodes.aborted, reason: "" })],
    ["an over", (connection) => ({ kind: "done", connection })],
  ])("a Connection that ended by %s stays over, whatever comes for it", async (_, last) => {
    const { mallory, here, address, connection } = await withMallory(limit);
    using __ = mallory;
    mallory.say(address, last(connection));
    expect(await here.closed).toMatchObject({ peer: "mallory" });
    if (last(connection).kind === "reset") await mallory.hear("done");
    for (const frame of [
      { kind: "credit", connection, received: 0, limit },
      { kind: "fin", connection, offset: 0 },
      { kind: "stop", connection },
      { kind: "yield", connection, granted: limit, limit },
      { kind: "reset", connection, code: errorCodes.rejected, reason: "" },
      last(connection),
    ] as const) {
      mallory.say(address, frame);
      if (frame.kind === "done") continue;
      const answer = await mallory.hear("done", "credit", "reset", "credit");
      expect(answer).toMatchObject({ kind: "done", connection: openerBit + connection });
    }
    expect(await mallory.hearAll()).toEqual([]);
  });

  test("a Connection that is over here, and that the peer keeps using, is answered once each time", async () => {
    const { mallory, here, address, connection } = await withMallory(limit);
    using __ = mallory;
    here.abort("enough");
    expect(await mallory.hear("reset")).toMatchObject({ code: errorCodes.aborted, reason: "enough" });
    for (let count = 0; count < 100; count++) {
      mallory.say(address, dataFrame(connection, 0, new Uint8Array(10)));
      mallory.say(address, { kind: "credit", connection, received: 1, limit: 0 });
    }
    await expectBystander();
    // Its end was told. It is told again on a new link, and not for each frame that comes too late.
    expect(await mallory.hearAll()).toEqual([]);
    mallory.say(address, { kind: "reset", connection, code: errorCodes.aborted, reason: "" });
    await mallory.hear("done");
  });

  test("an unknown or ended Connection is answered once in a segment, however many frames there are for it", async () => {
    const { mallory, here, address } = await withMallory(limit);
    using _ = mallory;
    const frames = Array.from({ length: 1_000 }, () => ({ kind: "fin", connection: 77, offset: 0 }) as const);
    mallory.say(address, ...frames);
    await mallory.hear("done");
    await expectBystander();
    expect(await mallory.hearAll()).toEqual([]);
    here.abort();
  });

  test("a Connection that is over can't be opened again by its position", async () => {
    using mallory = await rawLink(realm, "mallory");
    let handled = 0;
    bob.handle("counted", () => void handled++);
    mallory.toRouter(open("bob", "counted"));
    const { from: address } = await mallory.hear("credit");
    mallory.say(address, { kind: "reset", connection: openerBit + 1, code: errorCodes.aborted, reason: "" });
    await mallory.hear("done");
    mallory.say(address, { kind: "credit", connection: openerBit + 1, received: 0, limit });
    await mallory.hear("done");
    expect(handled).toBe(1);
  });
});

describe("a peer that opens", () => {
  test("a peer that sends its position before it was accepted loses the Connection", async () => {
    using mallory = await rawLink(realm, "mallory");
    const ended = new Promise((resolve) => {
      bob.handle("slow", async (connection) => {
        resolve(await connection.closed);
      });
    });
    mallory.toRouter(open("bob", "slow"));
    const { address } = await mallory.hear("routed");
    mallory.say(address, { kind: "credit", connection: openerBit + 1, received: 0, limit });
    expect(await mallory.hear("reset")).toMatchObject({ code: errorCodes.violation });
    expect(await ended).toMatchObject({ code: "violation" });
  });

  test("a peer that opens 100,000 times is refused by the router past its rate, and by the peer past its undecided opens", async () => {
    using mallory = await rawLink(realm, "mallory");
    let handled = 0;
    bob.handle("slow", async (connection) => {
      handled++;
      await connection.closed;
    });
    const count = 100_000;
    mallory.toRouter(...Array.from({ length: count }, (_, at) => open("bob", "slow", at + 1)));
    await expectBystander();
    const refused = new Map<number, number>();
    let routed = 0;
    for (let answers = 0; answers < count; answers++) {
      const answer = await mallory.hear("routed", "refused");
      if (answer.kind === "routed") routed++;
      else refused.set(answer.code, (refused.get(answer.code) ?? 0) + 1);
    }
    // The opens allowed at once, and those that the rate gave back in the meantime.
    expect(routed).toBeGreaterThanOrEqual(limits.maxOpensAtOnce);
    expect([...refused]).toEqual([[errorCodes.busy, count - routed]]);
    await expectBystander();
    expect(handled).toBe(limits.maxPendingOpens);
  });

  test("a peer that resumes without end is held back, and learns nothing new", async () => {
    const bobs = await sessionOf("bob");
    // Nobody who has asked for much lately: all sessions of a client share one rate.
    using mallory = await rawLink(realm, "resumer", newSession());
    const resume = { kind: "resume", session: bobs, peer: "bob" } as const;
    const count = 2 * limits.maxOpensAtOnce;
    mallory.toRouter(...Array.from({ length: count }, () => resume));
    const answers = { paired: 0, absent: 0 };
    while (answers.paired + answers.absent < count) answers[(await mallory.hear("paired", "absent")).kind]++;
    expect(answers.paired).toBeGreaterThanOrEqual(limits.maxOpensAtOnce);
    expect(answers.absent).toBeGreaterThan(0);
  });
});

describe("a peer that reads", () => {
  test("a peer that grants everything and reads nothing keeps its link, and its sender loses only this Connection", async () => {
    await using carol = await realm.connect("carol", { graceMs: 500 });
    const { mallory, here } = await withMallory(limits.maxOffset, undefined, carol);
    using _ = mallory;
    mallory.socket.pause();
    const sending = (async () => {
      for (;;) await here.send(new Uint8Array(60_000));
    })().catch((error: unknown) => error);
    // The router parts the two for a while, longer than the grace.
    expect(await here.closed).toMatchObject({ code: "peer-gone", peer: "mallory" });
    expect(await sending).toMatchObject({ code: "peer-gone" });
    await expectBystander();
    mallory.socket.resume();
    expect(await mallory.outcome()).toBe("open");
  });

  test("a peer that grants without end and acknowledges nothing holds up no other peer", async () => {
    const stepBytes = 1_048_576;
    const { mallory, here, address, connection } = await withMallory(stepBytes);
    using _ = mallory;
    let heardBytes = 0;
    void (async () => {
      // In steps, or the router would take what comes for a flood.
      for (let granted = stepBytes; ;) {
        heardBytes += (await mallory.hear("data")).payload.length + limits.frameCostBytes;
        if (heardBytes < granted - stepBytes / 2) continue;
        granted += stepBytes;
        mallory.say(address, { kind: "credit", connection, received: 0, limit: granted });
      }
      // In the end it waits for what never comes.
    })().catch(() => undefined);
    // More than a client keeps for all its peers together.
    const sending = here
      .send(new Uint8Array(limits.maxUnacknowledgedBytes + 10_000_000))
      .catch((error: unknown) => error);
    let before = -1;
    await vi.waitUntil(() => before === (before = heardBytes) && heardBytes > 0, { interval: 100, timeout: 20_000 });
    // Half of what there is for all.
    expect(heardBytes).toBeLessThan(limits.maxUnacknowledgedBytes / 2 + 1_000_000);
    await expectBystander();
    here.abort();
    expect(await sending).toMatchObject({ code: "aborted" });
  });

  test("a peer that claims to have reached unsent marks is ignored", async () => {
    using mallory = await rawLink(realm, "mallory");
    const frames = Array.from({ length: 100_000 }, (_, token) => ({ kind: "reached", token }) as const);
    mallory.toRouter(...frames);
    await expectBystander();
    expect(await mallory.hearAll()).toEqual([]);
  });
});
