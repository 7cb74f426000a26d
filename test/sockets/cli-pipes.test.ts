import { once } from "node:events";
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { directory, type Environment, start } from "./cli-mp.ts";
import { type Realm, startRealm } from "./realm.ts";

// The command in pipes whose reader leaves, and what signals do to it.

let realm: Realm;

beforeAll(async () => {
  realm = await startRealm();
});

afterAll(async () => {
  await realm[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function environmentOf(name: string): Promise<Environment> {
  const { url, adminToken } = realm.router;
  return { MP_URL: url.href, MP_NAME: name, MP_SECRET: await realm.secretOf(name), MP_ADMIN_TOKEN: adminToken };
}

test.each(["audit", "audit --json", "usage", "client list", "peers", "rule test a b c"])(
  "mp %s ends quietly if its reader has gone",
  async (command) => {
    const running = start(command.split(" "), await environmentOf("alice"));
    running.child.stdout.destroy();
    expect(await running.done).toMatchObject({ status: 0, stderr: "" });
  },
);

test("mp ping ends quietly once its reader has read enough", async () => {
  const running = start("ping $echo -i 0.01 -c 100000".split(" "), await environmentOf("bob"));
  await once(running.child.stdout, "data");
  running.child.stdout.destroy();
  expect(await running.done).toMatchObject({ status: 0, stderr: "" });
});

test("SIGINT ends mp ping with the summary of what was measured", async () => {
  const running = start("ping $echo -i 0.01 -c 100000".split(" "), await environmentOf("carol"));
  await once(running.child.stdout, "data");
  running.child.kill("SIGINT");
  const { status, text, stderr } = await running.done;
  const lines = /^(?:\$echo: round trip \d+ in [\d.]+ ms\n)+\$echo: \d+ round trips, min \/ median \/ max .+ ms\n$/;
  expect([status, stderr, text]).toEqual([130, "", expect.stringMatching(lines)]);
});

test("SIGHUP, by which ssh ends a session, ends mp connect quietly", async () => {
  const running = start(["connect", "$echo", "ssh"], await environmentOf("erin"));
  running.child.stdin.write("hello");
  await once(running.child.stdout, "data");
  running.child.kill("SIGHUP");
  expect(await running.done).toMatchObject({ status: 129, stderr: "" });
});
