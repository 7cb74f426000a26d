import { once } from "node:events";
import { expect, test } from "vitest";
import { realmForMp, start } from "./cli-mp.ts";

// The command in pipes whose reader leaves, and what signals do to it.

const realm = realmForMp();

test.each(["audit", "audit --json", "usage", "client list", "peers", "rule test a b c"])(
  "mp %s ends quietly if its reader has gone",
  async (command) => {
    const running = start(command.split(" "), {
      ...(await realm.environmentOf("alice")),
      MP_ADMIN_TOKEN: realm.router.adminToken,
    });
    running.child.stdout.destroy();
    expect(await running.done).toMatchObject({ status: 0, stderr: "" });
  },
);

test("mp ping ends quietly once its reader has read enough", async () => {
  const running = start("ping $echo -i 0.01 -c 100000".split(" "), await realm.environmentOf("bob"));
  await once(running.child.stdout, "data");
  running.child.stdout.destroy();
  expect(await running.done).toMatchObject({ status: 0, stderr: "" });
});

test("SIGINT ends mp ping with the summary of what was measured", async () => {
  const running = start("ping $echo -i 0.01 -c 100000".split(" "), await realm.environmentOf("carol"));
  await once(running.child.stdout, "data");
  running.child.kill("SIGINT");
  const { status, text, stderr } = await running.done;
  const lines = /^(?:\$echo: round trip \d+ in [\d.]+ ms\n)+\$echo: \d+ round trips, min \/ median \/ max .+ ms\n$/;
  expect([status, stderr, text]).toEqual([130, "", expect.stringMatching(lines)]);
});

test("SIGHUP, by which ssh ends a session, ends mp connect quietly", async () => {
  const running = start(["connect", "$echo", "ssh"], await realm.environmentOf("erin"));
  running.child.stdin.write("hello");
  await once(running.child.stdout, "data");
  running.child.kill("SIGHUP");
  expect(await running.done).toMatchObject({ status: 129, stderr: "" });
});
