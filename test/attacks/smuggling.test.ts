import { randomBytes } from "node:crypto";
import { subprotocols } from "@messagepasser/protocol";
import { beforeAll, expect, test } from "vitest";
import { guessedSecret } from "./forge.ts";
import { basic, guessedTicket } from "../support/credentials.ts";
import {
  attempt,
  attemptAs,
  type HeaderLines,
  offer,
  type Outcome,
  RawHttp,
  ticketOf,
  upgradeText,
} from "./raw-http.ts";
import { underAttack } from "./victims.ts";

const victims = underAttack();
const path = "/connect/default";
const session = "1".repeat(32);
const admission = encodeURIComponent(
  JSON.stringify({
    version: 3,
    identity: { realm: "default", name: "alice" },
    session,
    resumes: true,
    format: "mp.v1",
  }),
);
const protocols = (...values: string[]): [string, string] => ["Sec-WebSocket-Protocol", values.join(", ")];

let mallory = "";
let carol = "";
beforeAll(async () => {
  [mallory, carol] = await Promise.all([victims.secretOf("mallory"), victims.secretOf("carol")]);
});

const attack = (...lines: HeaderLines): Promise<Outcome> => attempt(victims.router.url, path, lines);

test.for<[string, string]>([
  ["mp-admission", admission],
  ["MP-Admission", admission],
  ["CF-Access-Authenticated-User-Email", "alice"],
  ["CF-Connecting-IP", "127.0.0.1"],
  ["CF-Worker", "messagepasser"],
  ["CF-Ray", "1"],
  ["X-Forwarded-User", "alice"],
  ["X-Forwarded-Host", "router.internal"],
  ["X-Original-URL", "/link"],
  ["X-Rewrite-URL", "/link"],
  ["X-HTTP-Method-Override", "POST"],
  ["Forwarded", 'for=127.0.0.1;host="router.internal"'],
  ["Cookie", `authorization=${basic("alice", "x")}`],
  ["Proxy-Authorization", basic("alice", "x")],
])("a header %s of the attacker's own lets no client in and gives no client another name", async ([name, value]) => {
  expect((await attack(offer, [name, value])).status).toBe(401);
  const { welcome } = await attack(offer, ["Authorization", basic("mallory", mallory)], [name, value]);
  expect([welcome?.name, welcome?.realm]).toEqual(["mallory", "default"]);
  expect(welcome?.session).not.toBe(session);
});

test("the object's own address can't be reached from outside", async () => {
  for (const where of ["/link", "//router.internal/link", "https://router.internal/link", "/connect/default/link"]) {
    const outcome = await attempt(victims.router.url, where, [offer, ["mp-admission", admission]]);
    expect([400, 404]).toContain(outcome.status);
  }
});

test("two Authorization headers count as none, even if one is valid", async () => {
  const [good, bad] = [basic("mallory", mallory), basic("alice", guessedSecret())];
  for (const pair of [
    [good, bad],
    [bad, good],
    [good, good],
    [good, "Bearer x"],
  ]) {
    const lines = pair.map((value): [string, string] => ["Authorization", value]);
    expect((await attack(offer, ...lines)).status).toBe(401);
  }
  expect((await attack(offer, ["Authorization", `${good}, ${good}`])).status).toBe(401);
});

test("a header takes precedence over a ticket, so one upgrade can't use two names", async () => {
  const both = protocols(subprotocols.native, await ticketOf(victims.router.url, "carol", carol));
  expect((await attack(both, ["Authorization", basic("mallory", mallory)])).welcome?.name).toBe("mallory");
  expect((await attack(both, ["Authorization", basic("alice", guessedSecret())])).welcome).toBeUndefined();
});

test("only the first of several tickets among the subprotocols counts", async () => {
  const ticket = (): Promise<string> => ticketOf(victims.router.url, "carol", carol);
  expect((await attack(protocols(subprotocols.native, await ticket(), guessedTicket))).welcome?.name).toBe("carol");
  expect((await attack(protocols(subprotocols.native, guessedTicket, await ticket()))).welcome).toBeUndefined();
  // In two headers it is one list.
  expect((await attack(offer, protocols(await ticket()))).welcome?.name).toBe("carol");
  expect((await attack(protocols(guessedTicket), offer, protocols(await ticket()))).welcome).toBeUndefined();
});

test("tickets are never echoed, valid or not", async () => {
  for (const ticket of [
    await ticketOf(victims.router.url, "carol", carol),
    guessedTicket,
    "mp.ticket.",
    "mp.ticket.%%%",
  ]) {
    for (const others of [[], [subprotocols.native], ["chat"], ["chat", subprotocols.json]]) {
      for (const offered of [
        [ticket, ...others],
        [...others, ticket],
      ]) {
        const { headers, body } = await attack(protocols(...offered));
        expect(headers.get("sec-websocket-protocol") ?? "").not.toContain("mp.ticket");
        expect([...headers.values(), body].join(" ")).not.toContain(ticket);
      }
    }
  }
});

test("other spellings of header or subprotocol are no way in, or the same one", async () => {
  const good = Buffer.from(`carol:${carol}`);
  const ticket = await ticketOf(victims.router.url, "carol", carol);
  for (const prefix of ["MP.TICKET.", "Mp.Ticket.", "mp.ticket", "xmp.ticket.", "mp.auth."]) {
    for (const digits of [ticket.slice("mp.ticket.".length), good.toString("base64url")])
      expect((await attack(protocols(subprotocols.native, prefix + digits))).welcome).toBeUndefined();
  }
  for (const offered of ["MP.V1", "mp.v1 x", "mp.v1;q=1", '"mp.v1"'])
    expect((await attack(protocols(offered), ["Authorization", basic("carol", carol)])).welcome).toBeUndefined();
  for (const scheme of ["basic", "BASIC", "Basic  "])
    expect((await attack(offer, ["AUTHORIZATION", `${scheme} ${good.toString("base64")}`])).welcome?.name).toBe(
      "carol",
    );
  for (const value of ["Bearer", "Digest", "Basic\x0b", "BasicBasic", ""])
    expect((await attack(offer, ["Authorization", `${value} ${good.toString("base64")}`])).welcome).toBeUndefined();
});

test("odd characters in a token are refused, and never come back in a header", async () => {
  const texts = [
    "carol\r\nX-Injected: 1:x",
    "carol\0:x",
    "carol:\r\nx",
    "\ufeffcarol:x",
    "carol",
    ":x",
    "::",
    "%0d%0aX:1",
  ];
  for (const text of texts) {
    const digits = Buffer.from(text).toString("base64url");
    for (const lines of [
      [protocols(subprotocols.native, `mp.ticket.${digits}`)],
      [offer, ["Authorization", `Basic ${Buffer.from(text).toString("base64")}`] as const],
    ]) {
      const { welcome, headers } = await attack(...lines);
      expect([welcome, headers.get("x-injected"), headers.get("x")]).toEqual([undefined, null, null]);
    }
  }
  for (const digits of ["=", "A", "####", "a b", "\x7f", "é", "mp.ticket.mp.ticket.", "A".repeat(8_000)])
    expect((await attack(protocols(subprotocols.native, `mp.ticket.${digits}`))).welcome).toBeUndefined();
});

test("line breaks in a session or a realm reach no header", async () => {
  for (const where of [
    `/connect/default?session=${session}%0d%0aX-Injected:%201`,
    "/connect/default%0d%0aX-Injected:%201",
    `/connect/default?session=${"1".repeat(16)}&session=${session}`,
  ]) {
    const { status, headers } = await attempt(victims.router.url, where, [
      offer,
      ["Authorization", basic("mallory", mallory)],
    ]);
    expect([status, headers.get("x-injected")]).toEqual([400, null]);
  }
});

test("headers that are too large are refused, and the bytes after them are not another request", async () => {
  for (const bytes of [20_000, 200_000, 1_000_000]) {
    const { welcome, status } = await attack(offer, [
      "Authorization",
      basic("alice", randomBytes(bytes).toString("hex")),
    ]);
    expect(welcome).toBeUndefined();
    // 0: the runtime ends the connection in the middle of it.
    expect([0, 400, 401, 413, 431]).toContain(status);
  }
});

test.for<[string, string, string]>([
  ["in the body of an upgrade", "Content-Length", "0"],
  ["behind a length and chunks that disagree", "Transfer-Encoding", "chunked"],
])("a second request %s is a request of its own, without the first one's identity", async ([, name, value]) => {
  using http = await RawHttp.to(victims.router.url);
  const inner = upgradeText(path, [offer, ["mp-admission", admission]]);
  const lines: HeaderLines = [
    ["Host", "x"],
    [name, value],
    ["Content-Length", String(inner.length)],
  ];
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const first = await http.ask(`POST /connect/default HTTP/1.1\r\n${head}\r\n${inner}`);
  expect([0, 400, 404]).toContain(first.status);
  const second = await http.ask(upgradeText(path, [offer]));
  expect([0, 400, 401]).toContain(second.status);
});

test("headers that steer the local runtime open nothing", async () => {
  const url = victims.router.url;
  for (const [name, value] of [
    ["MF-Original-URL", "https://router.internal/link"],
    ["MF-Route-Override", "messagepasser"],
    ["MF-Op", "GET"],
    ["MF-Proxy-Shared-Secret", "x"],
    ["MF-Custom-Service", "ROUTER"],
  ] as const) {
    const outcome = await attemptAs(url, "alice", guessedSecret(), path, [
      [name, value],
      ["mp-admission", admission],
    ]);
    expect([400, 401, 404]).toContain(outcome.status);
  }
  for (const where of [
    "platform-proxy",
    "explorer",
    "explorer/api/storage/kv/namespaces",
    "scheduled",
    "email",
    "r2/s3",
  ]) {
    using http = await RawHttp.to(url);
    const { status } = await http.ask(`GET /cdn-cgi/local/${where} HTTP/1.1\r\nHost: 127.0.0.1\r\nMF-Op: GET\r\n\r\n`);
    expect([400, 401, 403, 404]).toContain(status);
  }
});
