import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import {
  anySession,
  closeCodes,
  type ControlFrame,
  type DataFrame,
  limits,
  originalLimits,
  routerLimits,
  subprotocols,
} from "@messagepasser/protocol";
import { formats, msgpack, native } from "@messagepasser/protocol/formats";
import { describe, expect, test } from "vitest";
import { encodeGob, gobDefinition } from "../../protocol/src/original/gob.ts";
import { batchOf } from "../../src/routing/encoding.ts";
import { SocketLink } from "../../src/realm/socket-link.ts";
import { Counters } from "../../src/realm/usage.ts";
import { longestInstance, mostServices } from "./attachments.ts";
import { Realm } from "./realm.ts";
import { type AnyItem, type AnyLink } from "../support/readings.ts";

/** Alice's Connection 1, as she calls it in a segment. */
const connection = 0x8000_0001;
const noBytes = new Uint8Array();

/** Alice's messages to Bob, in one of her formats. */
interface Voice {
  open(alice: AnyLink): void;
  data(alice: AnyLink, payload: Uint8Array, offset: number): void;
  close(alice: AnyLink, offset: number): void;
}

const to = { address: 0, session: anySession, peer: "bob" };
const open = { kind: "open", ...to, protocol: "p", metadata: {}, flags: 0, first: noBytes } as const;

function inSegments(bobsAddress: () => number): Voice {
  const say = (alice: AnyLink, address: number, ...frames: (ControlFrame | DataFrame)[]): void =>
    alice.send(batchOf(msgpack, address, frames));
  return {
    open: (alice) => say(alice, 0, { ...open, connection: 1, limit: limits.firstWindowBytes }),
    data: (alice, payload, offset) =>
      say(alice, bobsAddress(), { kind: "data", connection, last: true, text: false, offset, payload }),
    close: (alice, offset) =>
      say(
        alice,
        bobsAddress(),
        { kind: "stop", connection },
        { kind: "fin", connection, offset },
        { kind: "done", connection },
      ),
  };
}

const of = { peer: "bob", connection: "alice:1" };
const inJson: Voice = {
  open: (alice) => alice.json({ type: "open", ...of, protocol: "p" }),
  data: (alice, payload, offset) =>
    alice.json({ type: "data", ...of, base64: btoa(String.fromCharCode(...payload)), offset }),
  close: (alice, offset) => alice.json({ type: "close", ...of, offset }),
};

const inGob: Voice = {
  open: (alice) => alice.send(gob(5, Uint8Array.of(0x70))),
  data: (alice, payload) => alice.send(gob(0, payload)),
  close: (alice) => alice.send(gob(7, noBytes)),
};

/** The type is defined once, before the first message; the answer shows that it was read. */
function introduce(alice: AnyLink): void {
  const value = encodeGob({ meta: 8, otherClient: "alice", connectionId: "", data: noBytes });
  alice.send(Uint8Array.of(...gobDefinition, ...value));
}

function gob(meta: number, data: Uint8Array): Uint8Array {
  return encodeGob({ meta, otherClient: "bob", connectionId: "alice:0", data });
}

/** Everything that Alice and Bob got, without random values and those that depend on how many links there were before. */
interface Heard {
  readonly alice: AnyItem[];
  readonly bob: AnyItem[];
}

/** A Connection from Alice to Bob, who has the native format, with `between` after every message. */
async function liveALife(
  format: string,
  between: (realm: Realm, step: number) => Promise<void>,
): Promise<{ heard: Heard; steps: number }> {
  const realm = new Realm();
  const isNamed = format !== subprotocols.msgpack;
  const heard: Heard = { alice: [], bob: [] };
  let steps = 0;
  let bobsAddress = 0;
  const voice =
    { [subprotocols.json]: inJson, [subprotocols.originalGob]: inGob }[format] ?? inSegments(() => bobsAddress);
  using alice = await realm.joinIn(format, "alice");
  using bob = await realm.joinIn(native.subprotocol, "bob");
  alice.answersMarks = false;
  const hear = async (counts: { readonly alice?: number; readonly bob?: number }): Promise<void> => {
    for (let at = 0; at < (counts.alice ?? 0); at++) heard.alice.push(await alice.next());
    for (let at = 0; at < (counts.bob ?? 0); at++) heard.bob.push(await bob.next());
    await between(realm, steps++);
  };

  if (format === subprotocols.originalGob) {
    introduce(alice);
    await hear({ alice: 1 });
  }
  voice.open(alice);
  await hear({ bob: 1, alice: isNamed ? 0 : 1 });
  const [address] = heard.bob.map((item) => Number(item["address"]));
  bobsAddress = Number(heard.alice[0]?.["address"]);
  const toAlice = (...frames: (ControlFrame | DataFrame)[]): void => bob.send(batchOf(native, address ?? 0, frames));
  toAlice({ kind: "credit", connection: 1, received: 0, limit: 1_000_000 });
  await hear({ alice: 1 });
  for (const offset of [0, 19]) {
    voice.data(alice, Uint8Array.of(1, 2, offset), offset);
    await hear({ bob: 1 });
  }
  // For Alice, who doesn't say what has arrived, it is acknowledged.
  const payload = new Uint8Array(16_368).fill(7);
  for (let offset = 0; offset < 5 * 16_384; offset += 16_384) {
    toAlice({ kind: "data", connection: 1, last: true, text: false, offset, payload });
    await hear({ alice: 1, bob: isNamed ? 1 : 0 });
  }
  // Now she has read it, and Bob gets credit for a quarter of a window, however long ago the mark was sent.
  expect(alice.answerMarks()).toBeGreaterThan(0);
  if (isNamed) await hear({ bob: 1 });
  toAlice({ kind: "credit", connection: 1, received: 38, limit: 1_000_038 });
  // The original counts nothing, and hears nothing of it.
  if (format !== subprotocols.originalGob) await hear({ alice: 1 });
  voice.close(alice, 38);
  await hear({ bob: 3 });
  toAlice({ kind: "done", connection: 1 });
  await hear({ alice: 1, bob: isNamed ? 1 : 0 });
  const names: Readonly<Record<number, string>> = { [address ?? 0]: "Alice's", [bobsAddress]: "Bob's" };
  return { heard: { alice: heard.alice.map(plainly), bob: heard.bob.map(plainly) }, steps };

  function plainly(item: AnyItem): AnyItem {
    const named = Object.entries(item).map(([key, value]) => {
      if (key === "address" || key === "from") return [key, names[Number(value)]];
      return key === "session" ? [key, "random"] : [key, value];
    });
    return Object.fromEntries(named) as AnyItem;
  }
}

describe.for([subprotocols.originalGob, subprotocols.json, subprotocols.msgpack])("a link of %s", (format) => {
  test(`a link of ${format} goes on unchanged after the object hibernated between any two messages`, async () => {
    const { heard, steps } = await liveALife(format, () => Promise.resolve());
    expect(steps).toBeGreaterThan(11);
    if (format !== subprotocols.msgpack)
      expect(heard.bob).toContainEqual(
        expect.objectContaining({ received: 65_536, limit: 65_536 + limits.firstWindowBytes }),
      );
    for (let chosen = 0; chosen < steps; chosen++) {
      const life = await liveALife(format, async (realm, step) => {
        if (step === chosen) await evictDurableObject(realm.stub);
      });
      expect(life.heard, `after step ${chosen}`).toEqual(heard);
    }
  }, 60_000);

  test(`a link of ${format} goes on unchanged when the object hibernates after every message`, async () => {
    const { heard } = await liveALife(format, () => Promise.resolve());
    expect((await liveALife(format, (realm) => evictDurableObject(realm.stub))).heard).toEqual(heard);
  });
});

const all = formats.map(({ subprotocol }) => subprotocol);

test.for(all)("a link of %s remembers only the definitions of its gob stream, within their limit", async (format) => {
  const realm = new Realm();
  using alice = await realm.joinIn(format, "alice");
  if (format === subprotocols.originalGob) {
    introduce(alice);
    expect(await alice.next()).toMatchObject({ Meta: 9 });
  }
  await runInDurableObject(realm.stub, (_object, state) => {
    const [socket] = state.getWebSockets("name:alice");
    const link = socket && SocketLink.restore(state, new Counters(0), socket);
    expect(link?.format.subprotocol).toBe(format);
    expect(link?.formatMemory).toEqual(format === subprotocols.originalGob ? gobDefinition : noBytes);
  });
});

test("a guest's link with the most to remember fits its attachment, and not much more would", async () => {
  const realm = new Realm();
  // 128 bytes of UTF-8, of which the last character makes the rest take two bytes each there.
  const longest = `${"n".repeat(125)}亀`;
  using _alice = await realm.joinIn(subprotocols.originalGob, longest);
  await runInDurableObject(realm.stub, (_object, state) => {
    const [socket] = state.getWebSockets();
    if (socket === undefined) throw new Error("No socket");
    const attachment = socket.deserializeAttachment() as object;
    const serves = new Uint8Array(routerLimits.maxInvitationServesBytes);
    const withPairs = (count: number): object => ({
      ...attachment,
      instance: longestInstance,
      services: mostServices,
      formatMemory: new Uint8Array(originalLimits.maxGobDefinitionBytes),
      grant: { host: longest, peer: longest, protocol: longest, serves, expiresAtMs: Date.now() },
      pairs: new Uint32Array(count),
    });
    socket.serializeAttachment(withPairs(routerLimits.maxPairs));
    expect(() => socket.serializeAttachment(withPairs(routerLimits.maxPairs + 500))).toThrow(/16384/);
  });
});

/** The announcement of a link's end in each format, as far as it has one. */
function closingOf(format: string, code: number, name: string, delayMs: number, reason: string): AnyItem[] {
  if (format === subprotocols.json) return [{ type: "closing", code, name, delayMs, reason }];
  return format.startsWith("mp.v0") ? [] : [{ kind: "closing", code, delayMs, reason }];
}

test.for(all)("a link of %s whose attachment can't be read gets its closing in its own format", async (format) => {
  const realm = new Realm();
  using alice = await realm.joinIn(subprotocols.json, "alice");
  using bob = await realm.joinIn(format, "bob");
  await runInDurableObject(realm.stub, (_object, state) => {
    for (const socket of state.getWebSockets("name:bob")) socket.serializeAttachment({ version: 1 });
  });
  await evictDurableObject(realm.stub);
  inJson.open(alice);
  expect(await alice.next()).toMatchObject({ type: "refused", code: "peer-absent" });
  const reason = "This link was made by another version of the router: connect again";
  expect(await bob.closed()).toEqual({ code: closeCodes.unreadableState, reason });
  expect(bob.unread).toEqual(closingOf(format, closeCodes.unreadableState, "unreadableState", 1_000, reason));
});

test.for(all)("revoking the secret of a link of %s ends it with a closing in its own format", async (format) => {
  const realm = new Realm();
  using alice = await realm.joinIn(format, "alice");
  using bob = await realm.joinIn(subprotocols.json, "bob");
  bob.json({ type: "open", peer: "alice", connection: "bob:1", protocol: "p" });
  await alice.next();
  await realm.revoke("alice");
  const reason = "The secret was rotated or revoked";
  expect(await alice.closed()).toEqual({ code: closeCodes.revoked, reason });
  expect(alice.unread).toEqual(closingOf(format, closeCodes.revoked, "revoked", 0, reason));
  expect(await bob.next()).toEqual({ type: "gone", peer: "alice", reason: "ended" });
});

test.for(all)("the heartbeat of a link of %s doesn't wake the object", async (format) => {
  const realm = new Realm();
  using alice = await realm.joinIn(format, "alice");
  await evictDurableObject(realm.stub);
  await alice.expectOpen();
  // Only what runs can be evicted.
  await expect(evictDurableObject(realm.stub)).rejects.toThrow(/not.*running/i);
});
