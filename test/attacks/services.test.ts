import { closeCodes, limits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { rawLink } from "../sockets/raw-links.ts";
import { underAttack } from "./victims.ts";

// A client that lies about what it serves, or says it without end.

const victims = underAttack();

test("a client that serves everything gets no open to another name", async () => {
  using mallory = await rawLink(victims, "mallory");
  mallory.toRouter({ kind: "serve", share: 1, add: ["*", "echo", "bob"], remove: [] });
  const alice = await victims.connect("opener");
  for (let count = 0; count < 10; count++) await (await alice.open("bob", "echo")).close();
  await expect(alice.open("bob", "not there")).rejects.toMatchObject({ code: "unknown-protocol" });
  expect((await mallory.hearAll()).filter(({ kind }) => kind === "open")).toEqual([]);
  await alice.close();
  await victims.expectUnharmed();
});

test("a client that changes what it serves without end is closed, and others notice nothing", async () => {
  using mallory = await rawLink(victims, "changer");
  for (let count = 0; count < 2 * limits.maxOpensAtOnce; count++)
    mallory.toRouter({ kind: "serve", share: 0, add: [`${count}`], remove: [`${count - 1}`] });
  expect((await mallory.closing).code).toBe(closeCodes.overloaded);
  await victims.expectUnharmed();
});

test("a client that serves more than it may is closed, and others notice nothing", async () => {
  using mallory = await rawLink(victims, "greedy");
  const add = Array.from({ length: limits.maxServices + 1 }, (_, at) => `${at}`);
  mallory.toRouter({ kind: "serve", share: 0, add, remove: [] });
  expect((await mallory.closing).code).toBe(closeCodes.malformed);
  await victims.expectUnharmed();
});
