import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { HttpsProxyAgent } from "https-proxy-agent";
import { connect } from "messagepasser";
import { generate } from "selfsigned";
import { SocksProxyAgent } from "socks-proxy-agent";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Check } from "../../cli/src/doctor/examination.ts";
import { type Router, startRouter } from "../../scripts/router.ts";
import { directory, mp, realmForMp, start } from "./cli-mp.ts";
import { freePort, missingProxies, startHttpProxy, startSocksProxy } from "./real-proxies.ts";
import { failureOf } from "./realm.ts";

// The ways out of a network: proxies with and without passwords, and gates that want headers or a query.

if (missingProxies.length > 0)
  console.warn(`Ways through proxies are not tested: ${missingProxies.join(" and ")} missing`);

const login = { user: "olga", password: "s3same" };
const inUrl = `${login.user}:${login.password}`;
/** A password that a URL can't have as it is. tinyproxy's settings can't have it at all. */
const escaped = { user: "olga", password: "p@ss:w%rd" };
const escapedInUrl = `${escaped.user}:${encodeURIComponent(escaped.password)}`;

const realm = realmForMp();
let tlsRouter: Router;
/** A file with the certificate of the router over TLS. */
const authority = join(directory, "authority.pem");

beforeAll(async () => {
  const { private: key, cert: certificate } = await generate([{ name: "commonName", value: "localhost" }], {
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }],
  });
  writeFileSync(authority, certificate);
  tlsRouter = await startRouter({ tls: { key, certificate } });
});

afterAll(async () => {
  await tlsRouter[Symbol.asyncDispose]();
});

interface Report {
  readonly checks: readonly Check[];
}

/** A server that notes each request and refuses it; with the URL of a router there. */
async function startGate(): Promise<{ readonly url: string; readonly asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const gate = createServer((request, response) => {
    asked.push(request);
    response.writeHead(404).end();
  });
  gate.on("upgrade", (request, socket) => {
    asked.push(request);
    socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  });
  await once(gate.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void gate.close());
  // A server on a port has an address of this kind.
  const { port } = gate.address() as { readonly port: number };
  return { url: `ws://127.0.0.1:${port}/base/?token=a%2Bbc&session=theirs`, asked };
}

describe.skipIf(missingProxies.length > 0)("the command, through proxies", () => {
  test.each(["HTTP_PROXY", "all_proxy"])(
    "mp peers and mp client list reach the router through the HTTP proxy in %s",
    async (variable) => {
      const proxy = await startHttpProxy();
      const through = { [variable]: `http://${proxy.host}`, NODE_USE_ENV_PROXY: "1" };
      const own = await realm.environmentOf("alice");
      expect(await mp(["peers"], { ...own, ...through })).toMatchObject({ status: 0, stderr: "" });
      const tunnels = (): number => proxy.log().split(`CONNECT ${realm.router.url.host}`).length - 1;
      expect(tunnels()).toBe(1);
      const asOwner = { ...own, MP_ADMIN_TOKEN: realm.router.adminToken, ...through };
      expect((await mp(["client", "list"], asOwner)).text).toMatch(/^alice /m);
      expect(tunnels()).toBe(2);
    },
  );

  test("mp goes to a router with a private certificate through the proxy in HTTPS_PROXY, with its password", async () => {
    const proxy = await startHttpProxy(login);
    const environment = {
      MP_URL: `wss://localhost:${tlsRouter.url.port}`,
      MP_ADMIN_TOKEN: tlsRouter.adminToken,
      NODE_EXTRA_CA_CERTS: authority,
      HTTPS_PROXY: `http://${inUrl}@${proxy.host}`,
      // The URL is no ws://, so this one doesn't count.
      HTTP_PROXY: "http://127.0.0.1:1",
    };
    const added = await mp(["client", "add", "carol"], environment);
    expect([added.status, added.text]).toEqual([0, expect.stringMatching(/^mp_/)]);
    const own = { ...environment, MP_NAME: "carol", MP_SECRET: added.text.trim() };
    const examined = await mp(["doctor", "--json"], own);
    expect([examined.status, examined.stderr]).toEqual([0, ""]);
    const { checks } = JSON.parse(examined.text) as Report;
    expect(checks.map(({ name }) => name).slice(0, 5)).toEqual(["name", "TCP", "proxy", "TLS", "health"]);
    expect(checks.find(({ name }) => name === "proxy")?.detail).toContain(
      `http://${proxy.host} (HTTPS_PROXY) connects to localhost:${tlsRouter.url.port}`,
    );
    expect(checks.find(({ name }) => name === "TLS")?.detail).toMatch(/^TLSv1\.\d, certificate valid until /);
    expect(examined.text).not.toContain(login.user);
    expect(proxy.log()).toContain(`CONNECT localhost:${tlsRouter.url.port}`);
  });

  test.each([
    ["socks5", undefined],
    ["socks5h", escaped],
  ] as const)("mp connect goes through a %s proxy in ALL_PROXY, with the login %o", async (scheme, wanted) => {
    const proxy = await startSocksProxy(wanted);
    const url = `${scheme}://${wanted === undefined ? "" : `${escapedInUrl}@`}${proxy.host}`;
    const own = await realm.environmentOf(`of ${scheme}`);
    const { status, stderr, text } = await mp(["connect", "$echo", "x"], { ...own, ALL_PROXY: url }, "a long way");
    expect([status, stderr, text]).toEqual([0, "", "a long way"]);
    expect(proxy.log()).toContain(`connected to ${realm.router.url.host}`);
  });

  test.each([
    ["http", () => startHttpProxy(login), "HTTP_PROXY", "407"],
    ["socks5", () => startSocksProxy(login), "ALL_PROXY", "SOCKS"],
  ] as const)(
    "mp says in plain words that a proxy of the scheme %s wants another password",
    async (scheme, run, variable, how) => {
      const proxy = await run();
      const own = await realm.environmentOf("alice");
      const peers = async (user: string): Promise<string> => {
        const { status, stderr } = await mp(["peers"], { ...own, [variable]: `${scheme}://${user}${proxy.host}` });
        expect(status).toBe(6);
        return stderr;
      };
      const name = `The proxy ${scheme}://${proxy.host} (${variable})`;
      expect(await peers("")).toContain(
        `${name} wants a user and a password (${how}): set ${variable} to ${scheme}://USER:PASSWORD@${proxy.host}`,
      );
      const refused = await peers("olga:sesame@");
      expect(refused).toContain(`${name} refused the user or the password in ${variable} (`);
      expect(refused).not.toContain("sesame");
    },
  );

  test("mp listen waits for a proxy that is down for a while, and continues through it", async () => {
    const own = await realm.environmentOf("bob");
    const first = await startHttpProxy();
    const listening = start(["listen", "x", "--", "cat"], { ...own, HTTP_PROXY: `http://${first.host}` });
    await listening.says("Listening");
    first.stop();
    await listening.says(`Cannot reach the proxy http://${first.host} (HTTP_PROXY)`);
    await startHttpProxy(undefined, Number(first.host.split(":")[1]));
    await listening.says("The link to the router is back");
  });
});

describe("the command", () => {
  test("mp doctor names the proxy that it can't reach, and the one that NO_PROXY leaves out", async () => {
    const own = await realm.environmentOf("alice");
    const dead = { HTTP_PROXY: `127.0.0.1:${await freePort()}` };
    const failed = await mp(["doctor"], { ...own, ...dead });
    expect([failed.status, failed.stderr]).toEqual([
      6,
      expect.stringMatching(
        /Begin with "TCP": no TCP connection to .+ nothing listens: check that the proxy is running/,
      ),
    ]);
    expect((await mp(["peers"], { ...own, ...dead })).stderr).toContain("Cannot reach the proxy http://127.0.0.1:");
    const around = { ...own, ...dead, no_proxy: "example.com, 127.0.0.0/8", MP_SECRET: "wrong" };
    const excepted = await mp(["doctor", "--json"], around);
    const { checks } = JSON.parse(excepted.text) as Report;
    // The router itself refused the secret.
    expect([excepted.status, checks.find(({ name }) => name === "proxy")]).toEqual([
      3,
      { name: "proxy", outcome: "skipped", detail: "no_proxy has 127.0.0.1" },
    ]);
  });

  test("mp sends its headers, and the query of the router's URL, in admin calls and links, and prints neither", async () => {
    const gate = await startGate();
    const headers = "x-gate: open sesame\n";
    const environment = {
      MP_URL: gate.url,
      MP_NAME: "alice",
      MP_SECRET: "x",
      MP_ADMIN_TOKEN: "y",
      MP_HEADERS: headers,
    };
    const results = [
      await mp(["peers"], environment),
      await mp(["client", "list"], environment),
      await mp(["doctor", "--json"], environment),
    ];
    const [link, list, health] = gate.asked.map(({ url = "" }) => new URL(url, "http://gate"));
    expect([link?.pathname, link?.searchParams.get("token")]).toEqual(["/base/connect/default", "a+bc"]);
    expect(link?.searchParams.getAll("session")).toEqual([expect.stringMatching(/^[\da-f]{32}$/)]);
    expect([list?.pathname, list?.searchParams.get("token")]).toEqual([
      "/base/admin/v1/realms/default/clients",
      "a+bc",
    ]);
    expect([health?.pathname, health?.searchParams.get("token")]).toEqual(["/base/health", "a+bc"]);
    expect(gate.asked.map((request) => request.headers["x-gate"])).toEqual([
      "open sesame",
      "open sesame",
      "open sesame",
    ]);
    for (const { status, text, stderr } of results) {
      expect(status).not.toBe(0);
      expect(text + stderr).not.toMatch(/a%2Bbc|sesame/);
    }
  });
});

describe.skipIf(missingProxies.length > 0)("the client, through proxies", () => {
  test.each([
    ["HTTP", () => startHttpProxy(login), (host: string) => new HttpsProxyAgent(`http://${inUrl}@${host}`)],
    [
      "SOCKS",
      () => startSocksProxy(escaped),
      (host: string) => new SocksProxyAgent(`socks5h://${escapedInUrl}@${host}`),
    ],
  ] as const)("a client connects, and reconnects, through the agent of a proxy for %s", async (_, run, agentFor) => {
    const proxy = await run();
    const statuses: string[] = [];
    const back = Promise.withResolvers<undefined>();
    const client = await realm.connect("dave", {
      agent: agentFor(proxy.host),
      onStatus: ({ kind }) => {
        statuses.push(kind);
        if (statuses.length > 1 && kind === "online") back.resolve(undefined);
      },
    });
    const connection = await client.open("$echo", "x");
    await connection.send("one");
    expect(await connection.receive()).toBe("one");
    await realm.router.evict("close");
    await back.promise;
    expect(await client.peers()).toContain("dave");
    await client.close();
    expect(proxy.log().split(realm.router.url.host).length).toBeGreaterThan(2);
  });

  test("a client masks its bytes on the way to a proxy, though the router's URL is one of this machine", async () => {
    const proxy = await startHttpProxy();
    let sent = "";
    const agent = new HttpsProxyAgent(`http://${proxy.host}`);
    agent.on(
      "proxyConnect",
      (_, request: { on(event: "socket", then: (socket: NodeJS.WritableStream) => void): void }) => {
        request.on("socket", (socket) => {
          const write = socket.write.bind(socket) as (...parameters: unknown[]) => boolean;
          socket.write = (bytes: unknown, ...rest: unknown[]) => {
            sent += Buffer.from(bytes as string).toString("latin1");
            return write(bytes, ...rest);
          };
        });
      },
    );
    await using client = await realm.connect("erin", { agent });
    const connection = await client.open("$sink", "x");
    await connection.send("GET /smuggled");
    await connection.close();
    expect(sent).toContain("Sec-WebSocket-Key");
    expect(sent).not.toContain("GET /smuggled");
  });
});

describe("the client", () => {
  test("a gate gets the headers and the query that the client was given, beside the client's own", async () => {
    const gate = await startGate();
    const headers = { "x-gate": "open sesame", cookie: "a=b" };
    const failed = failureOf(connect(gate.url, { name: "alice", secret: "x", headers }));
    expect(await failed).toMatchObject({ code: "unreachable" });
    expect(gate.asked.map((request) => [request.headers["x-gate"], request.headers.cookie])).toEqual([
      ["open sesame", "a=b"],
    ]);
    expect(gate.asked[0]?.headers.authorization).toMatch(/^Basic /);
    expect(gate.asked[0]?.url).toMatch(/^\/base\/connect\/default\?token=a%2Bbc&session=[\da-f]{32}$/);
  });

  test.each([
    [{ headers: null }, "headers must be an object"],
    [{ headers: [["a", "b"]] }, "headers must be an object"],
    [{ headers: { a: 1 } }, 'HTTP can\'t carry the header "a"'],
    [{ headers: { a: "secret\r\nb: c" } }, 'HTTP can\'t carry the header "a"'],
    [{ headers: { "a b": "c" } }, 'HTTP can\'t carry the header "a b"'],
    [{ headers: { Authorization: "Bearer secret" } }, 'headers must not have "Authorization"'],
    [{ headers: { "Content-Length": "5" } }, 'headers must not have "Content-Length"'],
    [{ headers: { "transfer-encoding": "chunked" } }, 'headers must not have "transfer-encoding"'],
    [{ agent: "http://proxy" }, "agent must be an http.Agent"],
    [{ agent: null }, "agent must be an http.Agent"],
  ])("connect refuses %o with a TypeError that names the option", async (options, sentence) => {
    const all = { name: "alice", secret: "x", ...options } as unknown as Parameters<typeof connect>[1];
    const error = await failureOf(connect(realm.router.url, all));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(sentence);
    expect((error as Error).message).not.toContain("secret");
  });
});
