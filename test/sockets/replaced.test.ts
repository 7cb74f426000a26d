import { ConnectionError } from "messagepasser";
import { expect, test } from "vitest";
import { startRealm } from "./realm.ts";
import { startSide } from "./side.ts";

test("a peer of a program that died is told at once when another session took its instance, though that one left again", async () => {
  await using realm = await startRealm();
  await using side = await startSide(realm, "alice", { instance: "desk" });
  const bob = await realm.connect("bob");
  side.client.handle("talk", async (connection) => {
    for await (const message of connection) await connection.send(message);
  });
  const connection = await bob.open("alice", "talk");
  await connection.send("hello");
  expect(await connection.receive()).toBe("hello");
  // As if it was killed: its socket ends, and it doesn't come back.
  side.path.break();
  const next = await realm.connect("alice", { instance: "desk" });
  await next.close();
  const startMs = performance.now();
  const error = await connection.closed;
  expect(error).toBeInstanceOf(ConnectionError);
  expect((error as ConnectionError).code).toBe("peer-gone");
  // Far below the grace of two minutes.
  expect(performance.now() - startMs).toBeLessThan(10_000);
  await bob.close();
});
