import { closeCodes, goneReasons, limits, type RouterFrameOf, routerLimits } from "@messagepasser/protocol";
import { json } from "@messagepasser/protocol/formats";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toRouter } from "../../test/support/batches.ts";
import {
  crowdOf,
  fill,
  type FakeLink,
  type FakeRealm,
  grantOf,
  realmOf,
  sleep,
} from "../../test/support/routing-fakes.ts";
import { closings } from "./closings.ts";
import { Rules } from "./rules.ts";
import type { Services } from "./services.ts";

type Told = RouterFrameOf<"present" | "left" | "snapshot">;

function isTold(item: object): item is Told {
  return "kind" in item && ["present", "left", "snapshot"].includes(item.kind as string);
}

const everything: Services = { alone: ["*"], shared: [] };

/** What a link was told since the last call, as `+name`, `-name`, `(` and `)`. */
function toldTo(link: FakeLink): string {
  return link
    .take()
    .filter(isTold)
    .map((told) => (told.kind === "snapshot" ? "()"[told.complete] : `${told.kind === "left" ? "-" : "+"}${told.name}`))
    .join(" ");
}

function watch({ routing }: FakeRealm, link: FakeLink, pattern = "*", request = 1): void {
  routing.receive(link, toRouter({ kind: "watch", request, pattern }));
}

function join(
  { links, routing, runtime }: FakeRealm,
  name: string,
  options: Parameters<typeof links.make>[1] = {},
): FakeLink {
  const link = links.make(name, { lastHeardMs: runtime.nowMs, services: everything, ...options });
  routing.join(link);
  return link;
}

function leave({ routing }: FakeRealm, link: FakeLink): void {
  routing.leave(link, goneReasons.lost);
}

function changeRules({ routing, runtime }: FakeRealm, text: string): void {
  const before = runtime.currentRules;
  runtime.currentRules = Rules.parse(text);
  routing.changeRules(before);
}

describe("a watch", () => {
  test("a watch tells what is there, then who comes and who goes", () => {
    const realm = realmOf();
    const [alice, bob] = [join(realm, "alice"), join(realm, "bob")];
    alice.take();
    watch(realm, alice);
    expect(toldTo(alice)).toBe("( +alice +bob )");
    realm.runtime.pass(1_000);
    const carol = join(realm, "carol");
    expect(toldTo(alice)).toBe("+carol");
    realm.runtime.pass(1_000);
    leave(realm, bob);
    expect(toldTo(alice)).toBe("-bob");
    realm.runtime.pass(1_000);
    realm.routing.drop(carol, goneReasons.ended, closings.bye);
    expect(toldTo(alice)).toBe("-carol");
    expect(realm.runtime.timers).toEqual([]);
  });

  test("a watch tells each session's name, id and time", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    alice.take();
    watch(realm, alice, "al*", 7);
    const { session, name, sinceMs } = alice;
    expect(alice.take()).toEqual([
      { kind: "snapshot", request: 7, complete: 0 },
      { kind: "present", request: 7, session, name, instance: "", sinceMs, services: ["*"] },
      { kind: "snapshot", request: 7, complete: 1 },
    ]);
  });

  test("a watch tells only of names that fit its pattern", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    for (const name of ["desk-1", "desk-2", "phone"]) join(realm, name);
    alice.take();
    watch(realm, alice, "desk-*");
    watch(realm, alice, "nobody", 2);
    expect(toldTo(alice)).toBe("( +desk-1 +desk-2 ) ( )");
    realm.runtime.pass(1_000);
    join(realm, "phone-2");
    expect(toldTo(alice)).toBe("");
    join(realm, "desk-3");
    expect(toldTo(alice)).toBe("+desk-3");
  });

  test("a watch that ended tells nothing more, and one of the same number replaces it", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    alice.take();
    watch(realm, alice, "b*");
    watch(realm, alice, "c*");
    expect(toldTo(alice)).toBe("( ) ( )");
    realm.runtime.pass(1_000);
    join(realm, "bob");
    expect(toldTo(alice)).toBe("");
    join(realm, "carol");
    expect(toldTo(alice)).toBe("+carol");
    realm.routing.receive(alice, toRouter({ kind: "unwatch", request: 1 }, { kind: "unwatch", request: 99 }));
    expect(alice.watches).toBeUndefined();
    realm.runtime.pass(1_000);
    join(realm, "cecil");
    expect(toldTo(alice)).toBe("");
  });

  test("a watch in JSON is told the same", () => {
    const realm = realmOf();
    const alice = join(realm, "alice", { format: json, resumes: false });
    alice.messages.length = 0;
    realm.routing.receive(alice, '{"type":"watch","pattern":"b*"}');
    realm.runtime.pass(1_000);
    const { session, sinceMs } = join(realm, "bob");
    const messages = alice.messages.flatMap((message) => JSON.parse(message as string) as object);
    expect(messages).toEqual([
      { type: "snapshot", request: 0, complete: false },
      { type: "snapshot", request: 0, complete: true },
      { type: "present", request: 0, session, name: "bob", instance: "", sinceMs, services: ["*"] },
    ]);
  });

  test("a session that comes back on another link before its old one is closed is not told as gone", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    const bob = join(realm, "bob", { resumes: true });
    alice.take();
    watch(realm, alice, "bob");
    alice.take();
    realm.runtime.pass(1_000);
    join(realm, "bob", { session: bob.session });
    expect(toldTo(alice)).toBe("+bob");
  });
});

describe("what a watcher is told at once", () => {
  test("changes within a second of the last one are told together at its end, and one session's become one", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    watch(realm, alice, "*");
    alice.take();
    realm.runtime.pass(1_000);
    const bob = join(realm, "bob");
    expect(toldTo(alice)).toBe("+bob");
    join(realm, "carol");
    leave(realm, bob);
    leave(realm, join(realm, "dave"));
    join(realm, "erin");
    expect(toldTo(alice)).toBe("");
    expect(realm.runtime.timers).toHaveLength(1);
    realm.runtime.pass(999);
    expect(toldTo(alice)).toBe("");
    realm.runtime.pass(1);
    const messages = alice.takeMessages();
    expect(messages).toHaveLength(1);
    expect(messages.flat().filter(isTold)).toMatchObject([
      { kind: "present", name: "carol" },
      { kind: "left", name: "bob" },
      { kind: "present", name: "erin" },
    ]);
    expect(realm.runtime.timers).toEqual([]);
  });

  test("a session that came and went, or went and came back, within a second is told as nothing, or as there", () => {
    const realm = realmOf();
    const [alice, bob] = [join(realm, "alice"), join(realm, "bob")];
    watch(realm, alice, "*");
    alice.take();
    leave(realm, bob);
    join(realm, "bob", { session: bob.session });
    leave(realm, join(realm, "carol"));
    realm.runtime.pass(1_000);
    expect(toldTo(alice)).toBe("+bob");
  });

  test("a session that went, came back and went again within a second is told as gone", () => {
    const realm = realmOf();
    const [alice, bob] = [join(realm, "alice"), join(realm, "bob")];
    watch(realm, alice, "*");
    alice.take();
    leave(realm, bob);
    leave(realm, join(realm, "bob", { session: bob.session }));
    realm.runtime.pass(1_000);
    expect(toldTo(alice)).toBe("-bob");
  });

  test("a new session is told together with its services, as soon as its client has said them, or after a second", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    watch(realm, alice, "b*");
    alice.take();
    realm.runtime.pass(1_000);
    const bob = join(realm, "bob", { services: undefined });
    expect(alice.take()).toEqual([]);
    realm.routing.receive(bob, toRouter({ kind: "serve", share: 0, add: ["ssh"], remove: [] }));
    expect(alice.take()).toMatchObject([{ kind: "present", name: "bob", services: ["ssh"] }]);
    realm.runtime.pass(1_000);
    join(realm, "bea", { services: undefined });
    realm.runtime.pass(999);
    expect(alice.take()).toEqual([]);
    realm.runtime.pass(1);
    expect(alice.take()).toMatchObject([{ kind: "present", name: "bea", services: ["*"] }]);
    realm.runtime.pass(1_000);
    expect(realm.runtime.timers).toEqual([]);
  });

  test("many watchers of many changes are all told, though not in one turn", () => {
    const realm = realmOf();
    const watchers = Array.from({ length: 60 }, (_, at) => join(realm, `watcher ${at}`));
    for (const watcher of watchers) watch(realm, watcher, "client-*");
    realm.runtime.pass(1_000);
    for (const watcher of watchers) watcher.take();
    for (let count = 0; count < 700; count++) join(realm, `client-${count}`);
    let turns = 0;
    while (realm.runtime.timers.length > 0 && turns < 100) {
      realm.runtime.pass((realm.runtime.timers[0]?.atMs ?? 0) - realm.runtime.nowMs);
      turns++;
    }
    for (const watcher of watchers) {
      realm.reach(watcher);
      expect(toldTo(watcher).split(" ")).toHaveLength(700);
    }
  });

  test("10,000 clients that come back at once cost a watcher a few messages", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    const clients = Array.from({ length: 10_000 }, (_, at) => realm.join(`client ${at}`));
    watch(realm, alice);
    const view = new View();
    let messages = 0;
    const read = (): void => {
      const batches = alice.takeMessages();
      messages += batches.length;
      for (const batch of batches) view.receive(batch);
      realm.reach(alice);
    };
    for (let turn = 0; turn < 20; turn++) read();
    expect(view.names()).toHaveLength(10_001);
    messages = 0;
    for (const client of clients) leave(realm, client);
    for (const [at, { name, session }] of clients.entries()) {
      join(realm, name, { session });
      // Three seconds in all.
      if (at % 100 === 99) {
        realm.runtime.pass(30);
        read();
      }
    }
    realm.runtime.pass(1_000);
    for (let turn = 0; turn < 20; turn++) read();
    expect(view.names()).toHaveLength(10_001);
    expect(messages).toBeLessThan(60);
    expect(realm.runtime.timers).toEqual([]);
  }, 60_000);
});

describe("what a watcher may see", () => {
  test("a watcher is told only of clients that it may open something to, or that may open something to it", () => {
    const realm = realmOf();
    changeRules(realm, "allow alice -> bob : chat\nallow carol -> alice : ssh\ndefault closed");
    const alice = join(realm, "alice");
    for (const name of ["bob", "carol", "dave"]) join(realm, name);
    join(realm, "alice/guest", { grant: grantOf("alice", "bob") });
    join(realm, "bob/guest", { grant: grantOf("bob") });
    alice.take();
    watch(realm, alice);
    expect(toldTo(alice)).toBe("( +alice +bob +carol +alice/guest )");
    realm.runtime.pass(1_000);
    leave(realm, join(realm, "mallory"));
    realm.runtime.pass(2_000);
    const mallory = join(realm, "mallory");
    realm.runtime.pass(2_000);
    leave(realm, mallory);
    expect(toldTo(alice)).toBe("");
    realm.routing.receive(alice, toRouter({ kind: "list", request: 1, cursor: "" }));
    expect(alice.take()).toMatchObject([{ names: ["alice", "alice/guest", "bob", "carol"] }]);
  });

  test("the services of a guest are told to clients that may open something to it, and no more than its invitation says", () => {
    const realm = realmOf();
    changeRules(realm, "allow bob -> alice : chat\nallow alice -> carol : x\ndefault closed");
    const links = ["alice", "bob", "carol", "dave"].map((name) => join(realm, name));
    const grant = grantOf("alice", "*", "*", ["chat", "files/*"]);
    const guest = join(realm, "alice/eve", { grant, services: undefined });
    const told = (): unknown[] =>
      links.map((link) => {
        watch(realm, link, "alice/eve");
        realm.runtime.pass(1_000);
        return link.take().flatMap((item) => ("kind" in item && item.kind === "present" ? [item.services] : []));
      });
    expect(told()).toEqual([[["chat", "files/*"]], [["chat", "files/*"]], [[]], []]);
    const add = ["*", "files/a", "ssh"];
    realm.routing.receive(guest, toRouter({ kind: "serve", share: 0, add, remove: [] }));
    realm.runtime.pass(1_000);
    for (const link of links) link.take();
    expect(told()).toEqual([[["chat", "files/*", "files/a"]], [["chat", "files/*", "files/a"]], [[]], []]);
    // Bob may no longer open to the guest, but the guest to him.
    changeRules(realm, "allow alice -> bob carol : x\ndefault closed");
    realm.runtime.pass(1_000);
    expect(links[1]?.take()).toContainEqual(expect.objectContaining({ kind: "present", services: [] }));
    changeRules(realm, "default closed");
    realm.runtime.pass(1_000);
    expect(links.slice(1).map((link) => toldTo(link))).toEqual(["-alice/eve", "-alice/eve", ""]);
    expect(told()).toEqual([[["chat", "files/*", "files/a"]], [], [], []]);
  });

  test("a guest is told only of peers that its invitation names", () => {
    const realm = realmOf();
    const guest = join(realm, "alice/eve", { grant: grantOf("alice", "b*") });
    for (const name of ["alice", "bob", "carol"]) join(realm, name);
    guest.take();
    watch(realm, guest);
    expect(toldTo(guest)).toBe("( +bob )");
    realm.runtime.pass(1_000);
    join(realm, "carl");
    expect(toldTo(guest)).toBe("");
  });

  test("changed rules tell a watcher what it may see now and what no longer, and nothing else", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    for (const name of ["bob", "carol", "dave"]) join(realm, name);
    watch(realm, alice);
    alice.take();
    realm.runtime.pass(1_000);
    changeRules(realm, "deny * -> bob : *\ndeny bob -> * : *");
    expect(toldTo(alice)).toBe("-bob");
    realm.runtime.pass(1_000);
    changeRules(realm, "deny * -> carol : *\ndeny carol -> * : *");
    expect(toldTo(alice)).toBe("+bob -carol");
    realm.runtime.pass(1_000);
    changeRules(realm, "deny * -> carol : *\ndeny carol -> * : *\ndeny alice -> bob : ssh");
    expect(toldTo(alice)).toBe("");
    expect(realm.runtime.timers).toEqual([]);
  });
});

describe("a watcher that reads slowly", () => {
  test("a watcher that reads nothing is sent no more than a little, and everything once it reads", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    for (let count = 0; count < 10_000; count++) realm.join(`client ${count}`);
    alice.take();
    watch(realm, alice);
    const { sentBytes } = alice;
    expect(sentBytes).toBeLessThan(4 * routerLimits.toldBytes);
    for (let count = 0; count < 3_000; count++) {
      join(realm, `late ${count}`);
      realm.runtime.pass(10);
    }
    expect(alice.sentBytes).toBe(sentBytes);
    // Nothing has to be done before it reads.
    expect(realm.runtime.timers).toEqual([]);
    expect(alice.watches).toMatchObject({ isBehind: true });
    const view = new View();
    for (let turn = 0; turn < 50; turn++) {
      for (const batch of alice.takeMessages()) view.receive(batch);
      realm.reach(alice);
    }
    expect(view.names()).toHaveLength(13_001);
    expect(alice.watches).toMatchObject({ isBehind: false });
  });

  test.for([
    ["few", 10],
    ["more than are noted", 3_000],
  ] as const)("what leaves while a snapshot is under way is not there at its end: %s", ([, count]) => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    const clients = Array.from({ length: 10_000 }, (_, at) => realm.join(`client ${at}`));
    alice.take();
    watch(realm, alice);
    const view = new View();
    for (const batch of alice.takeMessages()) view.receive(batch);
    expect(view.isComplete).toBe(false);
    // Some that it was told of, and some that it was not.
    for (const client of [...clients.slice(0, count), ...clients.slice(-count)]) leave(realm, client);
    for (let turn = 0; turn < 50; turn++) {
      realm.runtime.pass(100);
      for (const batch of alice.takeMessages()) view.receive(batch);
      realm.reach(alice);
    }
    expect(view.names()).toHaveLength(10_001 - 2 * count);
    expect(view.isComplete).toBe(true);
  });

  test("changes that a watcher has not been told are told after a hibernation", () => {
    let realm = realmOf();
    const alice = join(realm, "alice");
    for (let count = 0; count < 10_000; count++) realm.join(`client ${count}`);
    alice.take();
    watch(realm, alice);
    const view = new View();
    for (const batch of alice.takeMessages()) view.receive(batch);
    expect(view.isComplete).toBe(false);
    const marks = alice.marks.splice(0);
    realm.runtime.pass(1_000);
    realm = sleep(realm);
    realm.routing.receive(alice, toRouter(...marks.map(({ token }) => ({ kind: "reached", token }) as const)));
    for (let turn = 0; turn < 50; turn++) {
      for (const batch of alice.takeMessages()) view.receive(batch);
      realm.reach(alice);
    }
    expect(view.names()).toHaveLength(10_001);
    expect(view.isComplete).toBe(true);
  });

  test("a watch outlives a hibernation, after which the first change is told", () => {
    let realm = realmOf();
    const [alice, bob] = [join(realm, "alice"), join(realm, "bob")];
    watch(realm, alice);
    alice.take();
    realm.runtime.pass(1_000);
    realm = sleep(realm);
    leave(realm, bob);
    expect(toldTo(alice)).toBe("-bob");
    realm.runtime.pass(1_000);
    realm = sleep(realm);
    join(realm, "carol");
    expect(toldTo(alice)).toBe("+carol");
  });
});

describe("attacks with watches", () => {
  test("one watch too many on a link is a violation, and what came before it takes effect", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    for (let request = 1; request <= limits.maxWatches; request++) watch(realm, alice, "*", request);
    expect(() => {
      watch(realm, alice, "*", 99);
    }).toThrow(`More than ${limits.maxWatches} watches: the last ends at byte 19`);
    expect(alice.watches?.watches).toHaveLength(limits.maxWatches);
  });

  test("a client's links have a bound of watches together, and its guests' another", () => {
    const realm = realmOf();
    const guests = Array.from({ length: 40 }, (_, at) => join(realm, `mallory/${at}`, { grant: grantOf("mallory") }));
    const [mallory, alice] = [join(realm, "mallory"), join(realm, "alice")];
    for (const guest of guests)
      for (let request = 1; request <= limits.maxWatches && guest.closed === undefined; request++)
        watch(realm, guest, "nobody", request);
    const open = guests.filter(({ closed }) => closed === undefined);
    expect(guests[32]?.closed?.code).toBe(closeCodes.overloaded);
    expect(open).toHaveLength(routerLimits.maxWatchesOfClient / limits.maxWatches);
    for (const link of [mallory, alice]) {
      watch(realm, link);
      expect(link.closed).toBeUndefined();
    }
    // What a link watched is free again once it is gone.
    for (const link of open.slice(0, 1)) leave(realm, link);
    const again = join(realm, "mallory/again", { grant: grantOf("mallory") });
    watch(realm, again);
    expect(again.closed).toBeUndefined();
  });

  test("a flood of watches ends its link once it is past the rate, and nobody else's", () => {
    const realm = realmOf();
    const [alice, mallory] = [join(realm, "alice"), join(realm, "mallory")];
    for (let count = 0; count < 200; count++) realm.join(`client ${count}`);
    let count = 0;
    for (; mallory.closed === undefined && count < 20_000; count++) {
      watch(realm, mallory, "nobody");
      mallory.take();
      realm.reach(mallory);
    }
    expect(count).toBeLessThan(limits.maxOpensAtOnce);
    expect(mallory.closed?.code).toBe(closeCodes.overloaded);
    watch(realm, alice);
    expect(alice.closed).toBeUndefined();
  });

  test("watchers hear of a client that changes its services without end a few times a second, of others at once, and of all changes in the end", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    const mallory = Array.from({ length: routerLimits.maxSessions }, () => join(realm, "mallory"));
    watch(realm, alice);
    realm.runtime.pass(1_000);
    alice.take();
    const told = new Map<string, readonly string[]>();
    let count = 0;
    const read = (): void => {
      realm.reach(alice);
      for (const item of alice.take().filter(isTold)) {
        if (item.kind !== "present") continue;
        if (item.name === "mallory") count++;
        told.set(item.session, item.services);
      }
    };
    const seconds = 60;
    for (let second = 0; second < seconds; second++) {
      for (const link of mallory)
        realm.routing.receive(
          link,
          toRouter({ kind: "serve", share: 0, add: [`${second}`], remove: ["*", `${second - 1}`] }),
        );
      realm.runtime.pass(1_000);
      read();
    }
    const { maxToldChangesAtOnce, maxToldChangesPerSecond, maxSessions } = routerLimits;
    expect(count).toBeLessThanOrEqual(maxToldChangesAtOnce + seconds * maxToldChangesPerSecond);
    const bob = join(realm, "bob");
    realm.runtime.pass(1_000);
    read();
    expect(told.delete(bob.session)).toBe(true);
    for (let second = 0; second < maxSessions / maxToldChangesPerSecond; second++) {
      realm.runtime.pass(1_000);
      read();
    }
    expect([...told.values()]).toEqual(mallory.map(() => [`${seconds - 1}`]));
    realm.runtime.pass(1_000);
    expect(realm.runtime.timers).toEqual([]);
  });

  test("watchers hear of a client whose sessions connect without end a few times a second", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    watch(realm, alice);
    alice.take();
    let count = 0;
    for (let second = 0; second < 60; second++) {
      const links = Array.from({ length: routerLimits.maxJoinsPerSecond }, () => join(realm, "mallory"));
      realm.runtime.pass(1_000);
      realm.reach(alice);
      count += alice.take().filter(({ kind }) => kind === "present").length;
      for (const link of links) leave(realm, link);
    }
    expect(count).toBeLessThanOrEqual(routerLimits.maxToldChangesAtOnce + 61 * routerLimits.maxToldChangesPerSecond);
    realm.runtime.pass(2_000);
    expect(realm.runtime.timers).toEqual([]);
  });

  test("a client with many watches has fewer changes kept for each, and is told everything again instead", () => {
    const realm = realmOf();
    const { maxPendingChangesOfClient, maxWatchesOfClient } = routerLimits;
    const links = Array.from({ length: maxWatchesOfClient / limits.maxWatches }, () => join(realm, "mallory"));
    for (const link of links)
      for (let request = 1; request <= limits.maxWatches; request++) watch(realm, link, "client-*", request);
    realm.runtime.pass(1_000);
    const toldOf = (count: number): string | undefined => {
      for (const link of links) realm.reach(link);
      for (const link of links) link.take();
      const clients = Array.from({ length: count }, (_, at) => join(realm, `client-${at}`));
      realm.runtime.pass(1_000);
      const [first] = links.map((link) => toldTo(link).split(" ")[0]);
      for (const client of clients) leave(realm, client);
      realm.runtime.pass(1_000);
      return first;
    };
    expect(toldOf(maxPendingChangesOfClient / maxWatchesOfClient)).toBe("+client-0");
    expect(toldOf(maxPendingChangesOfClient / maxWatchesOfClient + 3)).toBe("(");
  });

  test("a pattern of many stars takes no longer than another", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    for (let count = 0; count < 1_000; count++) realm.join("a".repeat(120) + count);
    const startMs = performance.now();
    watch(realm, alice, `${"*a".repeat(60)}b`);
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  test("a watcher whose link is full is not closed for what it watches, and is told once it has read", () => {
    const realm = realmOf();
    const alice = join(realm, "alice");
    const crowd = crowdOf(realm, alice);
    watch(realm, alice, "bob");
    realm.runtime.pass(1_000);
    while (realm.routing.unread.heldBytes < limits.maxUnreadBytes / 3 - 100_000) fill(realm, alice, crowd, 1);
    alice.take();
    join(realm, "bob");
    realm.runtime.pass(1_000);
    expect(toldTo(alice)).toBe("");
    expect([alice.closed, realm.runtime.timers.length]).toEqual([undefined, 0]);
    realm.reach(alice);
    expect(toldTo(alice)).toBe("+bob");
  });
});

/** What a client makes of what it is told. */
class View {
  readonly sessions = new Map<string, string>();
  isComplete = false;
  #seen: Set<string> | undefined;

  receive(items: readonly object[]): void {
    for (const told of items.filter(isTold)) {
      if (told.kind === "snapshot") {
        this.isComplete = told.complete === 1;
        if (told.complete === 0) this.#seen = new Set();
        else for (const key of this.sessions.keys()) if (this.#seen?.has(key) === false) this.sessions.delete(key);
        if (told.complete === 1) this.#seen = undefined;
        continue;
      }
      const key = `${told.session} ${told.name}`;
      if (told.kind === "left") this.sessions.delete(key);
      else {
        this.sessions.set(key, told.name);
        this.#seen?.add(key);
      }
    }
  }

  names(): string[] {
    return Array.from(this.sessions.keys()).sort();
  }
}

describe("a watcher's view", () => {
  const names = ["a", "b", "c", "d"];
  const ruleTexts = ["", "deny * -> a : *\ndeny a -> * : *", "allow w -> b : x\ndefault closed", "default closed"];
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant("join" as const), name: fc.constantFrom(...names), session: fc.nat(1) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("leave" as const), name: fc.constantFrom(...names) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("rules" as const), text: fc.constantFrom(...ruleTexts) }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 500, 1_000, 3_000) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("sleep" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("watch" as const), pattern: fc.constantFrom("*", "a", "b*") }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("rejoin" as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("crowd" as const), count: fc.constantFrom(3, 40, 300, 1_100) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("disperse" as const), parts: fc.constantFrom(1, 2) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("read" as const) }) },
  );

  test("a watcher's view is what it may see of the realm once everything is told, whatever happens meanwhile", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let realm = realmOf();
        let watcher = join(realm, "w");
        let pattern = "*";
        const view = new View();
        let crowd = 0;
        watch(realm, watcher, pattern);
        const settle = (): void => {
          for (let turn = 0; turn < 5; turn++) {
            realm.runtime.pass(1_000);
            for (const batch of watcher.takeMessages()) view.receive(batch);
            realm.reach(watcher);
          }
        };
        for (const each of steps) {
          switch (each.do) {
            case "join":
              join(realm, each.name, {
                session: `${each.session}${each.name}`.padStart(32, "e").replaceAll(/[^0-9a-f]/g, "0"),
              });
              break;
            case "leave": {
              const link = realm.links.named(each.name)[0];
              if (link !== undefined) leave(realm, link);
              break;
            }
            case "crowd":
              for (let count = 0; count < each.count; count++) join(realm, `b${crowd++}`);
              break;
            case "disperse":
              for (const [at, link] of realm.links.current().entries())
                if (/^b\d/.test(link.name) && at % each.parts === 0) leave(realm, link);
              break;
            case "rules":
              changeRules(realm, each.text);
              break;
            case "pass":
              realm.runtime.pass(each.ms);
              break;
            case "sleep":
              if (realm.runtime.timers.length === 0) realm = sleep(realm);
              break;
            case "read":
              for (const batch of watcher.takeMessages()) view.receive(batch);
              realm.reach(watcher);
              break;
            case "watch":
              // As a client that ends one watch and begins another: what it knew of the first is nothing to the second.
              for (const batch of watcher.takeMessages()) view.receive(batch);
              ({ pattern } = each);
              watch(realm, watcher, pattern);
              break;
            case "rejoin":
              watcher.take();
              leave(realm, watcher);
              watcher = join(realm, "w", { session: watcher.session });
              watch(realm, watcher, pattern);
          }
        }
        settle();
        const rules = realm.runtime.currentRules;
        const sees = (name: string): boolean =>
          name === "w" || rules.isAnythingAllowed("w", name) || rules.isAnythingAllowed(name, "w");
        const fits = (name: string): boolean =>
          pattern === "*" || (pattern === "a" ? name === "a" : name.startsWith("b"));
        const there = realm.links
          .current()
          .filter(({ name }) => sees(name) && fits(name))
          .map(({ session, name }) => `${session} ${name}`);
        expect(view.names()).toEqual(there.sort());
        expect(realm.runtime.timers).toEqual([]);
        expect(realm.runtime.aborts).toEqual([]);
      }),
    );
  });
});
