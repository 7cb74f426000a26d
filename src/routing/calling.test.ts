import { json } from "@messagepasser/protocol/formats";
import { describe, expect, test } from "vitest";
import { openTo, toRouter } from "../../test/support/batches.ts";
import { type FakeLink, realmOf } from "../../test/support/routing-fakes.ts";

/** The frames that a client of JSON was sent since the last call. */
function heard(link: FakeLink): { type: string; peer?: string; connection?: string; code?: string }[] {
  return link.messages.splice(0).flatMap((message) => JSON.parse(String(message)) as never);
}

function say(realm: ReturnType<typeof realmOf>, link: FakeLink, frame: object): void {
  realm.routing.receive(link, JSON.stringify(frame));
}

describe("a by-name client whose peer has many sessions", () => {
  test("a by-name client calls the first by its name and the others by labels, and its frames reach the one that it means", () => {
    const realm = realmOf();
    const eve = realm.join("eve", { format: json });
    const sessions = [realm.join("bob"), realm.join("bob"), realm.join("bob", { instance: "desk" })];
    for (const bob of sessions) realm.routing.receive(bob, toRouter(openTo("eve", { connection: 5 })));
    const opens = heard(eve);
    expect(opens.map(({ peer }) => peer)).toEqual(["bob", `bob:@${sessions[1]?.address}`, "bob:desk"]);
    for (const bob of sessions) bob.take();
    for (const { peer, connection } of opens) say(realm, eve, { type: "accept", peer, connection });
    for (const bob of sessions) expect(bob.take()).toMatchObject([{ kind: "segment", from: eve.address }]);
    expect(heard(eve).filter(({ type }) => type === "gone")).toEqual([]);
  });

  test("a by-name client keeps to the session that it calls by the name, whichever is newer, until that one is gone", () => {
    const realm = realmOf();
    const eve = realm.join("eve", { format: json });
    const open = (id: number): void => {
      say(realm, eve, { type: "open", peer: "bob", connection: `eve:${id}`, protocol: "chat" });
    };
    const old = realm.join("bob");
    open(1);
    const young = realm.join("bob", { lastHeardMs: realm.runtime.nowMs + 1 });
    open(2);
    expect([old.take().length, young.take().length]).toEqual([2, 0]);
    realm.routing.leave(old, 1);
    expect(heard(eve)).toMatchObject([{ type: "gone", peer: "bob" }]);
    open(3);
    expect(young.take()).toMatchObject([{ kind: "open", connection: 3 }]);
  });

  test("a by-name client opens to an instance by its label, and calls it so from then on", () => {
    const realm = realmOf();
    const eve = realm.join("eve", { format: json });
    const desk = realm.join("bob", { instance: "desk" });
    realm.join("bob", { lastHeardMs: realm.runtime.nowMs + 1 });
    say(realm, eve, { type: "open", peer: "bob:desk", connection: "eve:1", protocol: "chat" });
    expect(desk.take()).toMatchObject([{ kind: "open", peer: "eve" }]);
    realm.routing.leave(desk, 1);
    expect(heard(eve)).toMatchObject([{ type: "gone", peer: "bob:desk" }]);
  });

  test("a by-name client can't open to its own name, nor by a label that only the router gives", () => {
    const realm = realmOf();
    const eve = realm.join("eve", { format: json });
    const other = realm.join("eve");
    const bob = realm.join("bob");
    for (const [at, peer] of ["eve", `bob:@${bob.address}`].entries())
      say(realm, eve, { type: "open", peer, connection: `eve:${at + 1}`, protocol: "chat" });
    expect(heard(eve)).toMatchObject([
      { type: "refused", code: "bad-open" },
      { type: "refused", code: "peer-absent" },
    ]);
    expect([other.take(), bob.take()]).toEqual([[], []]);
  });

  test("a by-name client calls another session of its own name by a label, since the name stands for itself", () => {
    const realm = realmOf();
    const eve = realm.join("eve", { format: json });
    const other = realm.join("eve");
    realm.routing.receive(other, toRouter(openTo("eve", { session: eve.session })));
    expect(heard(eve)).toMatchObject([{ type: "open", peer: `eve:@${other.address}` }]);
  });
});
