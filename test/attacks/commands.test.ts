import { invite } from "messagepasser/invite";
import { connect, type ConnectionError } from "messagepasser";
import { expect, test } from "vitest";
import { mp, realmForMp, start } from "../sockets/cli-mp.ts";
import { failureOf } from "../sockets/realm.ts";

// Peers of `mp listen -- COMMAND` that take commands and do nothing with them.

const realm = realmForMp();

test("a peer that opens Connections and does nothing takes half of the commands, its guests included", async () => {
  const listening = start(["listen", "x", "--max-commands", "8", "--", "cat"], await realm.environmentOf("bob"));
  await listening.says("Listening");
  await using eve = await realm.connect("eve");
  const invitation = await invite({
    name: "eve",
    secret: await realm.secretOf("eve"),
    guest: "other",
    peer: "bob",
    protocol: "x",
    expiresAt: new Date(Date.now() + 60_000),
  });
  await using guest = await connect(realm.router.url, { name: invitation.name, secret: invitation.invitation });
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, async (_, count) => {
      const opened = (count % 2 === 0 ? eve : guest).open("bob", "x");
      return await opened.then(
        () => "accepted",
        (error: unknown) => (error as ConnectionError).code,
      );
    }),
  );
  expect(outcomes.filter((outcome) => outcome === "accepted")).toHaveLength(4);
  expect(await failureOf(eve.open("bob", "x"))).toMatchObject({
    message: expect.stringContaining("Too many of your commands are running") as string,
  });
  // A bystander notices nothing.
  expect(await mp(["connect", "bob", "x"], await realm.environmentOf("alice"), "served")).toMatchObject({
    status: 0,
    text: "served",
  });
});

test("a Connection on which nothing moves ends at the limit, and so does its command", async () => {
  const limits = ["--max-commands", "1", "--idle-limit", "500ms"];
  const listening = start(["listen", "x", ...limits, "--", "cat"], await realm.environmentOf("carol"));
  await listening.says("Listening");
  await using eve = await realm.connect("eve");
  const idle = await eve.open("carol", "x");
  expect(await idle.closed).toMatchObject({
    code: "aborted",
    message: expect.stringContaining("Nothing moved for 500ms, the listener's limit") as string,
  });
  // The command has ended too: a bystander gets its place.
  expect(await mp(["connect", "carol", "x"], await realm.environmentOf("alice"), "served")).toMatchObject({
    status: 0,
    text: "served",
  });
});

test("a command of mp listen finds nothing secret in its environment, neither in a variable of its own nor in the router's URL", async () => {
  const secrets = { MP_ADMIN_TOKEN: "hush", MP_INVITATION: "hush", MP_HEADERS: "x-gate: hush" };
  const own = await realm.environmentOf("dora");
  const { href } = realm.router.url;
  const listening = start(["listen", "env", "--", process.execPath, "-p", "JSON.stringify(process.env)"], {
    ...own,
    ...secrets,
    MP_URL: `${href}?token=hush#hush`,
  });
  await listening.says("Listening");
  const { status, text } = await mp(["connect", "dora", "env"], await realm.environmentOf("alice"));
  expect([status, text]).toEqual([0, expect.not.stringMatching(/hush|mp_/)]);
  expect(JSON.parse(text)).toMatchObject({ MP_URL: href, MP_PEER: "alice", MP_PROTOCOL: "env" });
});
