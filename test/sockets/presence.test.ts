import type { Client, PeerChange } from "messagepasser";
import { protobuf } from "messagepasser/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Realm, startRealm } from "./realm.ts";
import { startSide } from "./side.ts";

// Who is there, as clients are told over real sockets.

let realm: Realm;
let alice: Client;

beforeAll(async () => {
  realm = await startRealm();
  alice = await realm.connect("alice");
});

afterAll(async () => {
  await alice.close();
  await realm[Symbol.asyncDispose]();
});

/** The next changes, as `here bob`. */
async function next(changes: AsyncIterator<PeerChange>, count: number): Promise<string[]> {
  const told: string[] = [];
  while (told.length < count) {
    const { value } = (await changes.next()) as IteratorYieldResult<PeerChange>;
    told.push(`${value.kind} ${value.name}`);
  }
  return told;
}

describe("watch", () => {
  test("a client is told who is there, who comes and who goes, in any format", async () => {
    const changes = alice.watch();
    expect(await next(changes, 1)).toEqual(["here alice"]);
    const bob = await realm.connect("bob", { format: protobuf });
    const ofBob = bob.watch("alice");
    expect([await next(changes, 1), await next(ofBob, 1)]).toEqual([["here bob"], ["here alice"]]);
    expect(await alice.peers()).toEqual(["alice", "bob"]);
    const [own, other] = await alice.peers({ details: true });
    expect([own?.name, other?.name, own?.session === other?.session]).toEqual(["alice", "bob", false]);
    expect(Math.abs((other?.sinceMs ?? 0) - Date.now())).toBeLessThan(60_000);
    await bob.close();
    expect(await ofBob.next()).toEqual({ done: true, value: undefined });
    expect(await next(changes, 1)).toEqual(["gone bob"]);
    await changes.return(undefined);
  });

  test("a client that lost its link is told the differences once it is back", async () => {
    await using side = await startSide(realm, "watcher");
    const bob = await realm.connect("bob");
    const changes = side.client.watch("*o*");
    expect(await next(changes, 1)).toEqual(["here bob"]);
    side.path.break();
    await side.statuses.next("offline");
    await bob.close();
    await using _ = await realm.connect("carol");
    await using __ = await realm.connect("robert");
    side.path.mend();
    expect((await next(changes, 3)).toSorted()).toEqual(["gone bob", "here carol", "here robert"]);
    await changes.return(undefined);
  });
});
