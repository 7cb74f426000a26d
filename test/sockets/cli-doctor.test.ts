import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import type { Client } from "messagepasser";
import { generate } from "selfsigned";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Check, Examination } from "../../cli/src/doctor/examination.ts";
import { checkBuiltInPeer, builtInPeers } from "../../cli/src/doctor/built-in-peers.ts";
import { startRouter } from "../../scripts/router.ts";
import { directory, type Environment, mp, realmForMp, type Result } from "./cli-mp.ts";

// `mp doctor`, with a router and with what is none.

interface Report {
  readonly url: string;
  readonly isOk: boolean;
  readonly status: number;
  readonly sentence: string;
  readonly checks: readonly Check[];
}

const formats = ["mp.v1", "mp.v1.json", "mp.v1.msgpack", "mp.v1.protobuf", "mp.v0.json", "mp.v0.gob"];
const silent = { begins: (): void => undefined, ends: (): Promise<void> => Promise.resolve() };
const secret = `mp_${"s".repeat(108)}`;

const realm = realmForMp();

const environmentAt = (url: string): Environment => ({ MP_URL: url, MP_NAME: "alice", MP_SECRET: secret });

function reportIn({ text }: Result): Report {
  return JSON.parse(text) as Report;
}

/** The result of each check that was not left out. */
function outcomes({ checks }: Report): [string, string][] {
  return checks.filter(({ outcome }) => outcome !== "skipped").map(({ name, outcome }) => [name, outcome]);
}

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  // A server on a port has an address of this kind.
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("with a router", () => {
  test("mp doctor with a working router prints a line for each check, and a sentence at the end", async () => {
    const { status, text, stderr } = await mp(["doctor"], await realm.environmentOf("alice"));
    expect([status, stderr]).toEqual([0, ""]);
    const lines = text.trimEnd().split("\n");
    expect(lines.at(-1)).toBe("All is well: 20 checks passed, 2 skipped");
    for (const line of lines.slice(0, -1)) expect(line).toMatch(/^(ok {5}|skipped) {2}[\w$. -]{14} {2}\S/);
    expect(text).toMatch(/^ok +round trip +median of 20: [\d.]+ ms$/m);
    expect(text).toMatch(/^ok +up +[\d.]+ MB\/s to \$sink$/m);
    expect(text).not.toContain(await realm.secretOf("alice"));
  });

  test("mp doctor --json gives one object with the measured values", async () => {
    const result = await mp(["doctor", "--json"], await realm.environmentOf("bob"));
    const report = reportIn(result);
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(report).toMatchObject({ url: realm.router.url.href, realm: "default", name: "bob", isOk: true, status: 0 });
    const talk = [...builtInPeers, "round trip", "up", "down", ...formats];
    expect(outcomes(report)).toEqual(["TCP", "health", "version", "sign-in", ...talk].map((name) => [name, "ok"]));
    for (const [name, unit] of [
      ["round trip", "ms"],
      ["up", "MB/s"],
      ["down", "MB/s"],
    ]) {
      const check = report.checks.find((candidate) => candidate.name === name);
      expect(check).toMatchObject({ unit });
      expect(check?.value).toBeGreaterThan(0);
    }
  });

  test("mp doctor looks up the name of the URL", async () => {
    const url = new URL(realm.router.url);
    url.hostname = "localhost";
    const result = await mp(["doctor", "--json", "--url", url.href], await realm.environmentOf("carol"));
    const [first] = reportIn(result).checks;
    expect([result.status, first]).toEqual([0, expect.objectContaining({ name: "name", outcome: "ok" })]);
  });

  test("mp doctor with a wrong secret exits with 3 and says what to do", async () => {
    const result = await mp(["doctor"], { ...(await realm.environmentOf("alice")), MP_SECRET: secret });
    expect(result.status).toBe(3);
    expect(result.stderr).toMatch(
      /^mp: 1 of 4 checks failed, 13 skipped\. Begin with "sign-in": .+ Name or secret is wrong/,
    );
    expect(result.stderr).toContain('ask the router\'s owner to run "mp client rotate alice"');
    expect(result.text).toMatch(/^skipped {2}\$echo +The sign-in failed$/m);
    expect(result.text + result.stderr).not.toContain("sss");
  });

  test("mp doctor checks TLS: it names an untrusted certificate, and a way to trust it", async () => {
    const { private: key, cert: certificate } = await generate([{ name: "commonName", value: "localhost" }], {
      extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }],
    });
    await using router = await startRouter({ tls: { key, certificate } });
    const file = join(directory, "certificate.pem");
    writeFileSync(file, certificate);
    const url = `wss://localhost:${router.url.port}`;
    const own = { MP_URL: url, MP_NAME: "alice", MP_SECRET: secret };
    const refused = await mp(["doctor"], own);
    expect([refused.status, refused.stderr]).toEqual([
      6,
      expect.stringMatching(
        /Begin with "TLS": .+ no authority that this machine knows has signed its certificate: .+NODE_EXTRA_CA_CERTS/,
      ),
    ]);
    const trusted = reportIn(await mp(["doctor", "--json"], { ...own, NODE_EXTRA_CA_CERTS: file }));
    expect(trusted.checks.find(({ name }) => name === "TLS")).toMatchObject({
      outcome: "ok",
      detail: expect.stringMatching(/^TLSv1\.\d, certificate valid until /) as string,
    });
    const plain = await mp(["doctor"], { ...own, MP_URL: `wss://${realm.router.url.host}` });
    expect([plain.status, plain.stderr]).toEqual([
      6,
      expect.stringContaining("should the URL begin with ws:// or http://?"),
    ]);
  });
});

describe("with what is no router", () => {
  test("mp doctor exits with 6 when nothing listens at the port", async () => {
    const { status, stderr, text } = await mp(["doctor"], environmentAt("ws://127.0.0.1:2"));
    expect([status, stderr]).toEqual([
      6,
      expect.stringMatching(
        /Begin with "TCP": no TCP connection to 127\.0\.0\.1:2, where nothing listens: check that the router/,
      ),
    ]);
    expect(text).toMatch(/^failed {3}TCP .+\nskipped {2}TLS +An earlier check failed$/m);
  });

  test("mp doctor exits with 6 for a name that can't be looked up", async () => {
    const result = await mp(["doctor", "--json"], environmentAt("wss://router.invalid"));
    const { isOk, status, sentence } = reportIn(result);
    expect([result.status, isOk, status]).toEqual([6, false, 6]);
    expect(sentence).toMatch(/^1 of 1 checks failed.+"router\.invalid": check the spelling of the URL/);
    expect(result.stderr).toContain(sentence);
  });

  const answers: [string, (response: ServerResponse) => void, string][] = [
    ["has no such page", (response) => response.writeHead(404).end("no"), "with HTTP status 404"],
    ["answers in HTML", (response) => response.end("<html>"), "without JSON"],
    ["answers in other JSON", (response) => response.end('{"status":"up"}'), "with other JSON than a router's"],
    ["answers null", (response) => response.end("null"), "with other JSON than a router's"],
    [
      "is elsewhere",
      (response) => response.writeHead(301, { location: "https://b.example/" }).end(),
      "with a redirect to https://b.example/: use that URL",
    ],
  ];
  test.for(answers)("mp doctor exits with 6 for a server that %s, and sends it no secret", async ([, answer, how]) => {
    const asked: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      asked.push(request);
      answer(response);
    });
    server.on("upgrade", (request, socket) => {
      asked.push(request);
      socket.destroy();
    });
    const url = `ws://${await listening(server)}/base/`;
    const { status, stderr } = await mp(["doctor"], environmentAt(url));
    expect([status, stderr]).toEqual([6, expect.stringContaining("is not a MessagePasser router")]);
    expect(stderr).toContain(`/base/health was answered ${how}`);
    expect(asked.map((request) => [request.url, request.headers.authorization])).toEqual([["/base/health", undefined]]);
  });

  test("mp doctor exits with 6 after 10 s for a server that takes connections and sends nothing", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => undefined).resume();
    });
    const { status, stderr } = await mp(["doctor"], environmentAt(`ws://${await listening(server)}`));
    expect([status, stderr]).toEqual([6, expect.stringContaining('"health": The check took longer than 10 s')]);
  });

  test("mp doctor has a status of its own for wrong usage", async () => {
    expect(await mp(["doctor"])).toMatchObject({ status: 2, stderr: expect.stringContaining("No router") as string });
    expect(await mp(["doctor", "--help"])).toMatchObject({
      status: 0,
      text: expect.stringMatching(/Examples:\n {2}mp doctor\n/) as string,
    });
  });
});

describe("the check of a built-in peer", () => {
  /** A client that takes one peer for another. */
  function misled(client: Client, peer: string): Client {
    // Checks call nothing else of a client.
    return { open: (_: string, ...rest: [string, object]) => client.open(peer, ...rest) } as unknown as Client;
  }

  test.for([
    ["$echo", "$half-close", "a different message"],
    ["$echo", "$reset", "As asked"],
    ["$sink", "$echo", "$sink sent a message, which it never should"],
    ["$sink", "$no-such", "The router has no $sink, since it is older than this mp"],
    ["$slow", "$reset", "As asked"],
    ["$source", "$half-close", "its message 1 is different"],
    ["$source", "$sink", "The check took longer than 0.5 s"],
    ["$half-close", "$source", "does not handle this protocol"],
    ["$half-close", "$sink", "The check took longer than 0.5 s"],
    ["$reject", "$echo", "answered with an accept"],
    ["$reset", "$sink", "The check took longer than 0.5 s"],
    ["$reset", "$reject", "refused it"],
  ] as const)("mp doctor's check of %s fails with %s in its place", async ([name, other, why]) => {
    const client = await realm.connect(`misled by ${name} ${other}`);
    onTestFinished(() => client.close({ deadlineMs: 0 }));
    const examination = new Examination(silent);
    const run = (asked: Client, timeoutMs?: number): Promise<boolean> =>
      examination.run(name, async (signal) => ({ detail: await checkBuiltInPeer(name, asked, signal) }), timeoutMs);
    expect(await run(misled(client, other), 500)).toBe(false);
    expect(examination.firstFailure).toMatchObject({ name, outcome: "failed", detail: expect.stringContaining(why) });
    // The check passes with the peer that it is for, on the same client.
    expect(await run(client), JSON.stringify(examination.checks)).toBe(true);
  });
});
