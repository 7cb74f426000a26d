import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { directory, mp } from "./cli-mp.ts";
import { freePort } from "./real-proxies.ts";
import { type Realm, startRealm } from "./realm.ts";

// Why the command can't do what it should: which step failed, with which host, and what to do. Links and admin calls say the same.

let realm: Realm;

beforeAll(async () => {
  realm = await startRealm();
});

afterAll(async () => {
  await realm[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** The sentences of a command that connects and of one that calls the admin API. */
async function sentencesAt(url: string): Promise<string[]> {
  const environment = { MP_URL: url, MP_NAME: "alice", MP_SECRET: "x", MP_ADMIN_TOKEN: "x" };
  const results = await Promise.all([mp(["peers"], environment), mp(["client", "list"], environment)]);
  for (const { status, stderr } of results) expect([status, stderr]).toEqual([6, expect.stringMatching(/^mp: .+\n$/)]);
  return results.map(({ stderr }) => stderr);
}

async function gateWith(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  // A server on a port has an address of this kind.
  return `ws://127.0.0.1:${(server.address() as { readonly port: number }).port}`;
}

test("mp says that nothing listens at the port", async () => {
  const port = await freePort();
  for (const sentence of await sentencesAt(`ws://127.0.0.1:${port}`))
    expect(sentence).toContain(`no TCP connection to 127.0.0.1:${port}, where nothing listens: check that the router`);
});

test("mp says that DNS doesn't know the host", async () => {
  for (const sentence of await sentencesAt("wss://router.invalid"))
    expect(sentence).toMatch(/DNS .+ "router\.invalid": check /);
});

test("mp says that the port speaks no TLS", async () => {
  for (const sentence of await sentencesAt(`wss://${realm.router.url.host}`))
    expect(sentence).toContain(`the TLS handshake with ${realm.router.url.host} failed: the port speaks no TLS`);
});

test("mp says that the port speaks no HTTP", async () => {
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined).end("SSH-2.0-OpenSSH_9.2\r\n");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as { readonly port: number };
  for (const sentence of await sentencesAt(`ws://127.0.0.1:${port}`))
    expect(sentence).toContain(`what 127.0.0.1:${port} answered is no HTTP`);
});

test.each([
  ["403 Forbidden", {}, "a gate or a proxy on the way may want a sign-in"],
  ["502 Bad Gateway", {}, "something on the way answers for it"],
  ["302 Found", { location: "https://portal.example/?from=token" }, "a redirect to https://portal.example/"],
  ["200 OK", { "content-type": "text/html" }, "which is no answer of a router"],
  ["401 Unauthorized", { "content-type": "application/json" }, "which is no answer of a router"],
] as const)("mp says that something else answered %s", async (status, headers, sentence) => {
  const url = await gateWith((_, response) => {
    response.writeHead(Number(status.slice(0, 3)), headers).end('{"code":"unauthorized"}');
  });
  for (const said of await sentencesAt(url)) {
    expect(said).toContain(`the server answered "${status}"`);
    expect(said).toContain(sentence);
    expect(said).not.toContain("token");
  }
});

test("a captive portal's page is never taken for the success of an admin call", async () => {
  const url = await gateWith((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/plain" }).end("Welcome to our Wi-Fi");
  });
  const environment = { MP_URL: url, MP_ADMIN_TOKEN: "x" };
  for (const command of ["client revoke alice", "rule set -"])
    expect(await mp(command.split(" "), environment, "default closed")).toMatchObject({ status: 6, text: "" });
});

test("mp says what to do about a refused name or secret, to a client and to a guest", async () => {
  const environment = { MP_URL: realm.router.url.href, MP_NAME: "alice", MP_SECRET: "wrong" };
  const refused = await mp(["peers"], environment);
  expect([refused.status, refused.stderr]).toEqual([
    3,
    expect.stringMatching(
      /Name or secret is wrong.+\. Check the name and the realm, or ask the router's owner to run "mp client rotate alice"/,
    ),
  ]);
  const guest = await mp(["peers"], { ...environment, MP_NAME: "alice/printer" });
  expect([guest.status, guest.stderr]).toEqual([3, expect.stringContaining('ask "alice" for a new invitation')]);
});
