import { once } from "node:events";
import { subprotocols } from "@messagepasser/protocol";
import type { PeerChange } from "messagepasser";
import { protobuf } from "messagepasser/protobuf";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { newSession } from "../support/credentials.ts";
import { dial, rawLink } from "./raw-links.ts";
import { sharedRealm } from "./realm.ts";
import { startSide } from "./side.ts";

// Presence over real sockets: what clients are told about the sessions of others.

const shared = sharedRealm();

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
    const changes = shared.alice.watch();
    expect(await next(changes, 1)).toEqual(["here alice"]);
    const bob = await shared.realm.connect("bob", { format: protobuf });
    const ofBob = bob.watch("alice");
    expect([await next(changes, 1), await next(ofBob, 1)]).toEqual([["here bob"], ["here alice"]]);
    expect(await shared.alice.peers()).toEqual(["alice", "bob"]);
    const [own, other] = await shared.alice.peers({ details: true });
    expect([own?.name, other?.name, own?.session === other?.session]).toEqual(["alice", "bob", false]);
    expect(Math.abs((other?.sinceMs ?? 0) - Date.now())).toBeLessThan(60_000);
    await bob.close();
    expect(await ofBob.next()).toEqual({ done: true, value: undefined });
    expect(await next(changes, 1)).toEqual(["gone bob"]);
    await changes.return(undefined);
  });

  test("a client that lost its link is told the differences once it is back", async () => {
    await using side = await startSide(shared.realm, "watcher");
    const bob = await shared.realm.connect("bob");
    const changes = side.client.watch("*o*");
    expect(await next(changes, 1)).toEqual(["here bob"]);
    side.path.break();
    await side.statuses.next("offline");
    await bob.close();
    await using _ = await shared.realm.connect("carol");
    await using __ = await shared.realm.connect("robert");
    side.path.mend();
    expect((await next(changes, 3)).toSorted()).toEqual(["gone bob", "here carol", "here robert"]);
    await changes.return(undefined);
  });
});

describe("a crowd", () => {
  test("1,000 clients that all come back at once cost a watcher a few messages", async () => {
    const names = Array.from({ length: 1_000 }, (_, at) => `crowd ${at}`);
    const sessions = new Map(names.map((name) => [name, newSession()]));
    const joinAll = async (): Promise<WebSocket[]> => {
      const sockets: WebSocket[] = [];
      // So many at a time that the machine's own limits don't count.
      for (let at = 0; at < names.length; at += 50)
        sockets.push(...(await Promise.all(names.slice(at, at + 50).map(join))));
      return sockets;
    };
    const join = async (name: string): Promise<WebSocket> => {
      const socket = await dial(shared.realm, name, subprotocols.native, sessions.get(name));
      await once(socket, "open");
      return socket;
    };
    const crowd = await joinAll();
    const watcher = await rawLink(shared.realm, "the watcher");
    const view = new Set<string>();
    let [messages, snapshots] = [0, 0];
    watcher.socket.on("message", () => messages++);
    const heard = (async () => {
      for (;;) {
        const item = await watcher.hear("present", "left", "snapshot");
        if (item.kind === "present") view.add(item.name);
        else if (item.kind === "left") view.delete(item.name);
        else if (item.complete === 1) snapshots++;
      }
    })();
    heard.catch(() => undefined);
    watcher.toRouter({ kind: "watch", request: 1, pattern: "crowd *" });
    await expect.poll(() => [snapshots, view.size]).toEqual([1, 1_000]);
    messages = 0;
    const startMs = performance.now();
    for (const socket of crowd) socket.terminate();
    const back = await joinAll();
    const seconds = (performance.now() - startMs) / 1_000;
    await expect.poll(() => view.size).toBe(1_000);
    // One a second, in parts where it is much, and a mark now and then.
    expect(messages).toBeLessThan(20 + 10 * seconds);
    for (const socket of back) socket.terminate();
    watcher.socket.terminate();
  }, 120_000);
});
