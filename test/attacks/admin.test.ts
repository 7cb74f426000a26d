import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type HeaderLines, RawHttp } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

const readToken = randomBytes(32).toString("base64url");
const victims = underAttack(() => ({ variables: { MP_ADMIN_READ_TOKEN: readToken } }));

interface Told {
  readonly status: number;
  readonly body: string;
}

/** A request as an attacker writes it. */
async function ask(method: string, path: string, lines: HeaderLines = [], body = ""): Promise<Told> {
  using http = await RawHttp.to(victims.router.url);
  const all: HeaderLines = [["Host", "127.0.0.1"], ["Content-Length", String(body.length)], ...lines];
  const head = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return await http.ask(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`);
}

const bearer = (token: string): [string, string] => ["Authorization", `Bearer ${token}`];
const clients = "/admin/v1/realms/default/clients";

/** Every request that changes something. */
const writes: readonly (readonly [method: string, path: string, body: string])[] = [
  ["POST", clients, '{"name":"intruder"}'],
  ["POST", `${clients}/alice/rotate`, "{}"],
  ["POST", `${clients}/alice/disable`, ""],
  ["POST", `${clients}/alice/enable`, ""],
  ["DELETE", `${clients}/alice`, ""],
  ["PUT", "/admin/v1/realms/default/rules", "default closed\n"],
];
const reads = [clients, `${clients}/alice`, "/admin/v1/realms/default/rules", "/admin/v1/realms/default/audit"];

describe("without a token", () => {
  test("1,000 guesses of the admin token get one answer, whatever is asked for, and the owner is served all the while", async () => {
    const answers = new Set<string>();
    for (let round = 0; round < 100; round++) {
      const guesses = Array.from({ length: 10 }, (_, at) => {
        const [method = "", path = ""] = writes.at(at % writes.length) ?? [];
        return ask(method, path, [bearer(randomBytes(32).toString("base64url"))]);
      });
      const [owner, ...told] = await Promise.all([victims.admin("GET", "default/clients"), ...guesses]);
      expect(owner.status).toBe(200);
      for (const { status, body } of told) answers.add(`${status} ${body}`);
    }
    expect(answers.size).toBe(1);
    expect(Array.from(answers)[0]).toMatch(/^401 .*"unauthorized"/);
  });

  test("the admin token with a character more, less or changed is a wrong one", async () => {
    const { adminToken } = victims.router;
    for (const token of [
      adminToken.slice(0, -1),
      `${adminToken}x`,
      adminToken.slice(1),
      adminToken.toUpperCase(),
      `${adminToken} ${adminToken}`,
      `${adminToken},`,
      "",
      "undefined",
      "null",
      "[object Object]",
    ])
      expect((await ask("GET", clients, [bearer(token)])).status).toBe(401);
  });

  test("the admin token anywhere else than in its header opens nothing", async () => {
    const { adminToken: token } = victims.router;
    const elsewhere: [string, HeaderLines, string][] = [
      [`${clients}?token=${token}`, [], ""],
      [`${clients}?access_token=${token}&authorization=Bearer%20${token}`, [], ""],
      [`/admin/v1/realms/default/clients/${token}`, [], ""],
      [clients, [["Cookie", `token=${token}; authorization=Bearer ${token}; MP_ADMIN_TOKEN=${token}`]], ""],
      [clients, [["X-Authorization", `Bearer ${token}`]], ""],
      [clients, [["Proxy-Authorization", `Bearer ${token}`]], ""],
      [clients, [["X-Api-Key", token]], ""],
      [clients, [["MP-Admin-Token", token]], ""],
      [clients, [["Authorization", token]], ""],
      [clients, [["Authorization", `Basic ${Buffer.from(`admin:${token}`).toString("base64")}`]], ""],
      [clients, [["Authorization", `Token ${token}`]], ""],
      [clients, [bearer(token), bearer("x")], ""],
      [clients, [bearer("x"), bearer(token)], ""],
      [clients, [], JSON.stringify({ token, name: "intruder" })],
    ];
    for (const [path, lines, body] of elsewhere) {
      const method = body === "" ? "GET" : "POST";
      expect((await ask(method, path, lines, body)).status).toBe(401);
    }
  });

  test("a client's secret, an empty password and a read-only token are no admin token", async () => {
    const secret = await victims.secretOf("carol");
    for (const token of [secret, readToken])
      expect([401, 403]).toContain((await ask("POST", clients, [bearer(token)], '{"name":"intruder"}')).status);
    expect((await ask("GET", clients, [bearer(secret)])).status).toBe(401);
  });

  test("no path and no method of the admin API reveals anything without a token", async () => {
    for (const path of [
      "/admin/v1",
      "/admin/v1/",
      "/admin/v1/realms",
      "/admin/v1/nothing",
      `${clients}/nobody/nothing`,
    ]) {
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
        expect((await ask(method, path)).status).toBe(401);
    }
    for (const path of ["/ADMIN/v1/realms/default/clients", "/admin", "/admin/v2/realms/default/clients", "//admin/v1"])
      expect([401, 404]).toContain((await ask("GET", path)).status);
  });
});

describe("with the read-only token", () => {
  test("the read-only token reads everything", async () => {
    for (const path of reads) expect((await ask("GET", path, [bearer(readToken)])).status).toBe(200);
  });

  test.for(writes)(
    "%s %s with the read-only token changes nothing, however the method is disguised",
    async ([method, path, body]) => {
      expect((await ask(method, path, [bearer(readToken)], body)).status).toBe(403);
      for (const name of ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"]) {
        const lines: HeaderLines = [bearer(readToken), [name, method]];
        expect([200, 400, 403, 404]).toContain((await ask("GET", path, lines, body)).status);
        expect((await ask(method, path, [bearer(readToken), [name, "GET"]], body)).status).toBe(403);
      }
      expect([200, 404]).toContain((await ask("GET", `${path}?_method=${method}`, [bearer(readToken)])).status);
      for (const odd of [method.toLowerCase(), `${method}X`, "HEAD", "TRACE"])
        expect((await ask(odd, path, [bearer(readToken)], body)).status).not.toBe(200);
      const { clients } = (await (await victims.admin("GET", "default/clients")).json()) as {
        clients: { name: string }[];
      };
      expect(clients.map(({ name }) => name)).not.toContain("intruder");
      expect(await (await victims.admin("GET", "default/rules")).text()).toBe("");
    },
  );

  test("the answers to the read-only token have nothing secret in them", async () => {
    const secret = await victims.secretOf("carol");
    for (const path of reads) {
      const { body } = await ask("GET", path, [bearer(readToken)]);
      for (const text of [secret, secret.slice(20), victims.router.adminToken, readToken])
        expect(body).not.toContain(text);
    }
  });
});

describe("misuse of the admin token", () => {
  const token = (): [string, string] => bearer(victims.router.adminToken);

  test.for([
    ["GET", "/admin/v1/realms/default/nothing"],
    ["PATCH", clients],
    ["PUT", clients],
    ["DELETE", clients],
    ["GET", `${clients}/alice/rotate`],
    ["POST", "/admin/v1/realms/default/rules"],
    ["POST", "/admin/v1/realms/default/audit"],
    ["DELETE", "/admin/v1/realms/default"],
    ["POST", `${clients}/alice/rotate/`],
  ])("%s %s with the admin token is not found", async ([method = "", path = ""]) => {
    expect((await ask(method, path, [token()])).status).toBe(404);
  });

  test("a body that is too large is refused before all of it has come, and so are rules", async () => {
    const huge = "x".repeat(1_000_000);
    for (const [method, path] of [
      ["POST", clients],
      ["POST", `${clients}/alice/rotate`],
      ["PUT", "/admin/v1/realms/default/rules"],
    ] as const) {
      expect((await ask(method, path, [token()], huge)).status).toBe(413);
      const chunked = `POST ${clients} HTTP/1.1\r\nHost: x\r\n${token().join(": ")}\r\nTransfer-Encoding: chunked\r\n\r\n`;
      using http = await RawHttp.to(victims.router.url);
      // The end of the body never comes.
      expect([413, 400]).toContain((await http.ask(`${chunked}2000\r\n${"x".repeat(0x2000)}\r\n`)).status);
    }
  });

  test("a body without the required fields is refused, and its prototypes are ignored", async () => {
    for (const body of ["", "null", "[]", "1", '"x"', "{", "{}", '{"name":1}', '{"name":["a"]}', '{"name":"a","x":1}'])
      expect((await ask("POST", clients, [token()], body)).status).toBe(400);
    for (const body of [
      '{"name":"x","__proto__":{"isDisabled":true}}',
      '{"constructor":{"name":"x"}}',
      "[".repeat(4_000),
    ])
      expect((await ask("POST", clients, [token()], body)).status).toBe(400);
    for (const name of ["$echo", "a:b", "..", "a\\nb", "x".repeat(129)])
      expect((await ask("POST", clients, [token()], `{"name":"${name}"}`)).status).toBe(400);
  });

  test.for(["limit=-1", "limit=1e9", "limit=x", "before=x", "before=NaN"])("the query %s is refused", async (query) => {
    expect((await ask("GET", `/admin/v1/realms/default/audit?${query}`, [token()])).status).toBe(400);
  });

  test.for(["before=-1e999", "before=1e999", "before=-1", "before=0.5", "before="])(
    "the query %s doesn't fail",
    async (query) => {
      expect((await ask("GET", `/admin/v1/realms/default/audit?${query}`, [token()])).status).toBe(200);
    },
  );

  test("rules whose roles grow with each line are refused, as are rules that take long to read", async () => {
    const eight = (role: string): string => Array.from({ length: 8 }, () => role).join(" ");
    const nested = Array.from(
      { length: 7 },
      (_, at) => `role r${at} = ${at === 0 ? eight("a") : eight(`@r${at - 1}`)}`,
    );
    const wide = [`role a = ${"a ".repeat(16_000)}`, ...Array.from({ length: 1_800 }, () => "allow @a -> b : c")];
    for (const lines of [[...nested, "allow @r6 -> x : y"], wide]) {
      const before = performance.now();
      const { status } = await ask("PUT", "/admin/v1/realms/default/rules", [token()], `${lines.join("\n")}\n`);
      expect(status).toBe(400);
      // Far less than it takes to work them out; far more than to refuse them.
      expect(performance.now() - before).toBeLessThan(2_000);
      await victims.expectUnharmed();
    }
  });

  test("patterns that would take a regular expression for ever are matched at once", async () => {
    const rules = `deny ${"*a".repeat(2_000)}* -> ${"*b".repeat(2_000)}* : ${"*c".repeat(60)}\n`;
    expect((await victims.admin("PUT", "default/rules", rules)).status).toBe(204);
    const query = new URLSearchParams({ opener: "a".repeat(128), peer: "b".repeat(128), protocol: "c".repeat(128) });
    const before = performance.now();
    expect((await victims.admin("GET", `default/rules/test?${query.toString()}`)).status).toBe(200);
    expect(performance.now() - before).toBeLessThan(2_000);
    expect((await victims.admin("PUT", "default/rules", "")).status).toBe(204);
  });
});
