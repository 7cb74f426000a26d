import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { closeCodes, goneReasons, subprotocols } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { upgradeRequest } from "../../src/realm/admission.ts";
import { Realm } from "./realm.ts";
import { segment } from "../support/batches.ts";
import { newSession } from "../support/credentials.ts";
import { expectTalk, pairUp } from "./pairs.ts";

const superseded = { code: closeCodes.superseded, reason: "Another session of this name and instance connected" };
const replaced = { code: closeCodes.replaced, reason: "Replaced by a new link of this session" };
const revoked = { code: closeCodes.revoked, reason: "The secret was rotated or revoked" };

describe("a second link of the same name", () => {
  test("a second link of another session ends nothing: both are talked with, and an open goes to the newer one", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    using alice = await realm.join("alice");
    using old = await realm.link("bob", secret);
    const toOld = await pairUp(alice, old);
    using heir = await realm.link("bob", secret);
    const toHeir = await pairUp(alice, heir);
    await evictDurableObject(realm.stub);
    await expectTalk(alice, old, toOld);
    await expectTalk(alice, heir, toHeir);
    heir.close(1000);
    expect(await alice.next()).toMatchObject({ kind: "gone", address: toHeir.to });
    await expectTalk(alice, old, await pairUp(alice, old));
  });

  test("a second link of the same instance and another session takes it over; the first is closed for good and its peers are told so", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    using alice = await realm.join("alice");
    using carol = await realm.join("carol");
    using old = await realm.link("bob", secret, undefined, "desk");
    const { to: oldAddress } = await pairUp(alice, old);
    using heir = await realm.link("bob", secret, undefined, "desk");
    expect(await old.closedByRouter()).toEqual(superseded);
    expect(await alice.next()).toEqual({ kind: "gone", address: oldAddress, reason: goneReasons.superseded });
    await carol.expectNothing();
    const addresses = await pairUp(alice, heir);
    expect(addresses.to).not.toBe(oldAddress);
    await expectTalk(alice, heir, addresses);
  });

  test("a second link of the same name and session replaces the first, whose peers are told that it was lost", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    const session = newSession();
    using alice = await realm.join("alice");
    using old = await realm.link("bob", secret, session);
    const { to: oldAddress } = await pairUp(old, alice).then(({ from }) => ({ to: from }));
    using next = await realm.link("bob", secret, session);
    expect(await old.closedByRouter()).toEqual(replaced);
    expect(await alice.next()).toEqual({ kind: "gone", address: oldAddress, reason: goneReasons.lost });
    await expectTalk(alice, next, await pairUp(alice, next));
  });

  test("a second link keeps the name when the first one's close comes through, and is in the list once", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    using alice = await realm.join("alice");
    using old = await realm.link("bob", secret, undefined, "desk");
    using heir = await realm.link("bob", secret, undefined, "desk");
    const addresses = await pairUp(alice, heir);
    await old.closedByRouter();
    // The answer to the close has reached the object when its socket is no longer listed.
    await expect
      .poll(() => runInDurableObject(realm.stub, (_object, state) => state.getWebSockets("name:bob").length))
      .toBe(1);
    await expectTalk(alice, heir, addresses);
    await expectTalk(alice, heir, await pairUp(alice, heir));
    alice.toRouter({ kind: "list", request: 99, cursor: "" });
    expect(await alice.next()).toEqual({ kind: "peers", request: 99, cursor: "", names: ["alice", "bob"] });
  });

  test("a second link inherits none of the first one's pairs", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    const session = newSession();
    using alice = await realm.join("alice");
    using old = await realm.link("bob", secret, session);
    const { from: aliceAddress, to: oldAddress } = await pairUp(alice, old);
    using next = await realm.link("bob", secret, session);
    await alice.nextOf("gone");
    next.toPeer(aliceAddress, Uint8Array.of(1));
    expect(await next.next()).toEqual({ kind: "gone", address: aliceAddress, reason: goneReasons.lost });
    alice.toPeer(oldAddress, Uint8Array.of(1));
    expect(await alice.next()).toEqual({ kind: "gone", address: oldAddress, reason: goneReasons.lost });
    await next.expectNothing();
  });

  test("a second link of the same name makes the first one's late messages do nothing", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    using alice = await realm.join("alice");
    using old = await realm.link("bob", secret, undefined, "desk");
    const { from: aliceAddress } = await pairUp(alice, old);
    await runInDurableObject(realm.stub, (object, state) => {
      const [socket] = state.getWebSockets("name:bob");
      if (socket === undefined) throw new Error("No socket");
      const admission = { realm: realm.name, name: "bob" };
      const upgrade = {
        admission,
        session: newSession(),
        instance: "desk",
        resumes: true,
        format: subprotocols.native,
      };
      const response = object.fetch(upgradeRequest(upgrade));
      response.webSocket?.accept();
      object.webSocketMessage(socket, segment(aliceAddress, Uint8Array.of(1)).buffer as ArrayBuffer);
    });
    expect(await old.closedByRouter()).toEqual(superseded);
    expect(await alice.next()).toMatchObject({ kind: "gone", reason: goneReasons.superseded });
    await alice.expectNothing();
  });

  test("many links of one instance may come one after the other: the newest has it, and all others are closed", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    const links = await Promise.all(Array.from({ length: 8 }, () => realm.link("bob", secret, undefined, "desk")));
    const outcomes = await Promise.all(links.map((link) => link.outcome()));
    expect(outcomes.filter((outcome) => outcome === "open")).toHaveLength(1);
    for (const outcome of outcomes) if (outcome !== "open") expect(outcome).toEqual(superseded);
    for (const link of links) link[Symbol.dispose]();
  });

  test("a link of the same name in another realm is a different client", async () => {
    const [home, work] = [new Realm(), new Realm()];
    using atHome = await home.join("bob");
    using atWork = await work.join("bob");
    expect(await atHome.outcome()).toBe("open");
    expect(await atWork.outcome()).toBe("open");
  });
});

describe("a live link", () => {
  test.for(["rotate", "revoke"] as const)(
    "a live link is closed for good on %s, and its peers are told that its session ended",
    async (action) => {
      const realm = new Realm();
      using alice = await realm.join("alice");
      using bob = await realm.join("bob");
      using carol = await realm.join("carol");
      const { to: bobAddress } = await pairUp(alice, bob);
      const others = await pairUp(alice, carol);
      await realm[action]("bob");
      expect(await bob.closedByRouter()).toEqual(revoked);
      expect(await alice.next()).toEqual({ kind: "gone", address: bobAddress, reason: goneReasons.ended });
      await expectTalk(alice, carol, others);
    },
  );

  test("a live link of the new secret stays when the old one's link is closed", async () => {
    const realm = new Realm();
    using old = await realm.join("bob");
    const { secret } = await realm.rotate("bob");
    expect(await old.closedByRouter()).toEqual(revoked);
    using bob = await realm.link("bob", secret);
    expect(await bob.outcome()).toBe("open");
    await realm.rotate("bob");
    expect(await bob.closedByRouter()).toEqual(revoked);
  });

  test("a live link stays when the same name is rotated in another realm", async () => {
    const [home, work] = [new Realm(), new Realm()];
    using bob = await home.join("bob");
    await work.add("bob");
    await work.rotate("bob");
    await work.revoke("bob");
    expect(await bob.outcome()).toBe("open");
  });

  test("a live link that came in without a secret of this router is left alone by a rotation", async () => {
    const realm = new Realm();
    const admission = { realm: realm.name, name: "bob" };
    const upgrade = { admission, session: newSession(), instance: "", resumes: true, format: subprotocols.native };
    const response = await realm.stub.fetch(upgradeRequest(upgrade));
    let ended: unknown;
    response.webSocket?.addEventListener("close", (closing) => void (ended = closing));
    response.webSocket?.accept();
    await realm.add("bob");
    await realm.rotate("bob");
    using alice = await realm.join("alice");
    alice.open("bob");
    expect(await alice.nextOf("routed")).toMatchObject({ connection: 1 });
    expect(ended).toBeUndefined();
    response.webSocket?.close(1000);
  });
});
