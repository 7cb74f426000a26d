import { connect, LinkError } from "messagepasser";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NetworkPath } from "./proxy.ts";
import { failureOf, type Realm, startRealm } from "./realm.ts";
import { startSide } from "./side.ts";

// Proxies, captive portals and gates that answer in the router's place: only the router's own word ends a client.

let realm: Realm;

beforeAll(async () => {
  realm = await startRealm();
});

afterAll(async () => {
  await realm[Symbol.asyncDispose]();
});

function answer(status: string, headers: readonly string[] = [], body = ""): string {
  return [`HTTP/1.1 ${status}`, `content-length: ${body.length}`, "connection: close", ...headers, "", body].join(
    "\r\n",
  );
}

const statuses = `200 OK, 302 Found, 401 Unauthorized, 403 Forbidden, 404 Not Found, 407 Proxy Authentication Required,
  408 Request Timeout, 421 Misdirected Request, 425 Too Early, 451 Unavailable For Legal Reasons,
  500 Internal Server Error, 502 Bad Gateway, 511 Network Authentication Required`.split(/,\s+/);
const portal = answer("200 OK", ["content-type: text/html"], "<h1>Welcome to our Wi-Fi</h1>");
const othersProblem = answer(
  "401 Unauthorized",
  ["content-type: application/problem+json"],
  '{"code":"session-expired","detail":"Log in first"}',
);
/** Problems that have a code of the router's. */
const lookAlikes = [
  ["404 Not Found", '{"type":"https://gate.example/nf","code":"not-found"}'],
  ["401 Unauthorized", '{"code":"unauthorized"}'],
  ["502 Bad Gateway", '{"code":"unauthorized","detail":{}}'],
].map(
  ([status = "", body = ""]) =>
    [`${status} and ${body}`, answer(status, ["content-type: application/problem+json"], body)] as const,
);
const others: readonly (readonly [what: string, bytes: string])[] = [
  ...lookAlikes,
  ["a captive portal's page", portal],
  ["a problem that is none of the router's", othersProblem],
  ["JSON that is cut short", answer("400 Bad Request", ["content-type: application/problem+json"], '{"code":"bad-')],
  ["bytes that are no HTTP", "SSH-2.0-OpenSSH_9.2\r\n"],
  ["nothing at all", ""],
];

test.each([...statuses.map((status) => [status, answer(status)] as const), ...others])(
  "a Connection continues after reconnects that a gate answered with %s",
  async (_, bytes) => {
    await using bob = await startSide(realm, "bob");
    bob.client.handle("echo", async (connection) => {
      for await (const message of connection) await connection.send(message);
    });
    await using alice = await startSide(realm, "alice");
    const connection = await alice.client.open("bob", "echo");
    await connection.send("before");
    expect(await connection.receive()).toBe("before");
    alice.path.answerWith(bytes);
    // The second one is of a reconnect that got the answer.
    await alice.statuses.next("offline");
    const { error } = await alice.statuses.next("offline");
    expect([error.code, error.shouldRetry()]).toEqual(["unreachable", true]);
    alice.path.mend();
    await connection.send("after");
    expect(await connection.receive()).toBe("after");
  },
);

test("a first attempt that a gate answers fails as unreachable, with the status that the gate gave", async () => {
  await using path = await NetworkPath.to(realm.router.url);
  path.answerWith(answer("404 Not Found"));
  const error = await failureOf(connect(path.url, { name: "alice", secret: await realm.secretOf("alice") }));
  expect(error).toBeInstanceOf(LinkError);
  expect(error).toMatchObject({
    code: "unreachable",
    message: expect.stringContaining('the server answered "404 Not Found"') as string,
  });
});
