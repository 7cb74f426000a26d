import { once } from "node:events";
import { expect, test } from "vitest";
import { realmForMp, start } from "./cli-mp.ts";
import { NetworkPath } from "./proxy.ts";

// The command before its router is there, and while something on the way answers in the router's place.

const realm = realmForMp();

function answer(status: string, headers: readonly string[] = []): string {
  return [`HTTP/1.1 ${status}`, "content-length: 0", "connection: close", ...headers, "", ""].join("\r\n");
}

test("mp listen and mp connect --wait wait for a router that isn't there yet, and say so", async () => {
  await using path = await NetworkPath.to(realm.router.url);
  path.break();
  const listening = start(["listen", "early"], await realm.environmentOf("bob", path.url));
  listening.child.stdin.end();
  const connecting = start(["connect", "bob", "early", "--wait"], await realm.environmentOf("alice", path.url));
  connecting.child.stdin.end("worth the wait");
  await Promise.all([listening, connecting].map((running) => running.says(`Cannot connect to ${path.url.origin}`)));
  path.mend();
  expect(await connecting.done).toMatchObject({ status: 0 });
  expect(await listening.done).toMatchObject({ status: 0, text: "worth the wait" });
});

test("mp listen waits while a gate answers before the router ever did", async () => {
  await using path = await NetworkPath.to(realm.router.url);
  path.answerWith(answer("511 Network Authentication Required"));
  const listening = start(["listen", "x"], await realm.environmentOf("carol", path.url));
  await listening.says('the server answered "511 Network Authentication Required"');
  path.mend();
  await listening.says("Listening");
});

test("mp listen and mp connect go on, whatever something on the way answers, and say what it was", async () => {
  await using path = await NetworkPath.to(realm.router.url);
  const listening = start(["listen", "x", "--", "cat"], await realm.environmentOf("dave", path.url));
  await listening.says("Listening");
  const connected = start(["connect", "dave", "x"], await realm.environmentOf("erin", path.url));
  connected.child.stdin.write("1");
  await once(connected.child.stdout, "data");
  for (const status of ["404 Not Found", "403 Forbidden", "401 Unauthorized", "302 Found", "200 OK"]) {
    path.answerWith(answer(status, status.startsWith("302") ? ["location: https://portal.example/"] : []));
    await Promise.all([listening, connected].map((running) => running.says(`the server answered "${status}"`)));
    path.mend();
    connected.child.stdin.write("+");
    await once(connected.child.stdout, "data");
  }
  connected.child.stdin.end();
  expect(await connected.done).toMatchObject({ status: 0, text: "1+++++" });
});

test("the router's own refusal ends mp listen, though it waits for everything else", async () => {
  await using path = await NetworkPath.to(realm.router.url);
  path.break();
  const wrong = { ...(await realm.environmentOf("frank", path.url)), MP_SECRET: await realm.secretOf("alice") };
  const listening = start(["listen", "x"], wrong);
  await listening.says("Cannot connect");
  path.mend();
  expect(await listening.done).toMatchObject({
    status: 3,
    stderr: expect.stringContaining("Name or secret is wrong") as string,
  });
});

test("mp connect says that its peer is away, until when it waits, and that the Connection continues", async () => {
  await using path = await NetworkPath.to(realm.router.url);
  const listening = start(["listen", "x"], await realm.environmentOf("grace", path.url));
  await listening.says("Listening");
  const connected = start(["connect", "grace", "x"], await realm.environmentOf("heidi"));
  connected.child.stdin.write("1");
  await once(listening.child.stdout, "data");
  path.break();
  await connected.says('"grace" is away; waiting until ');
  path.mend();
  await connected.says('Connections with "grace" continue');
  connected.child.stdin.end("2");
  listening.child.stdin.end();
  expect(await listening.done).toMatchObject({ status: 0, text: "12" });
  expect((await connected.done).stderr).toMatch(/^mp: "grace" is away; waiting until \d\d:\d\d:\d\d\nmp: Connections/);
});
