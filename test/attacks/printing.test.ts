import { once } from "node:events";
import { createServer } from "node:http";
import { usageCounters } from "@messagepasser/protocol/admin";
import { expect, onTestFinished, test } from "vitest";
import { mp } from "../sockets/cli-mp.ts";

// A hostile router, or another owner of the realm, chooses every string that a command prints.

const esc = "\u001b]0;owned\u0007\u001b[2J\u009b31m\r\n\u202eevil\u200b\u{e0061}\u00a0\ud800";
const secret = `mp_${"A".repeat(20)}${esc}`;

const info = {
  name: `alice${esc}`,
  secretId: esc,
  revision: 1,
  expiresAt: esc,
  previous: null,
  changedAt: esc,
  lastUsedAt: esc,
  isDisabled: false,
  secret,
};

const problem = { type: "about:blank", status: 400, code: "bad-request", detail: esc };

const answers: readonly (readonly [method: string, page: string, answer: unknown])[] = [
  ["POST", "/clients", info],
  ["GET", "/clients", { clients: [info] }],
  ["GET", "/rules/test", { isAllowed: true, line: 1 }],
  ["GET", "/rules", `allow "${esc}" -> b : c # ${esc}\n\tdefault open\r\n`],
  ["GET", "/audit", { entries: [{ id: 1, at: esc, who: esc, what: esc, name: esc }] }],
  [
    "GET",
    "/usage",
    {
      since: esc,
      unclosed: [esc],
      ...Object.fromEntries([...usageCounters, "asleepMs"].map((name) => [name, 1])),
    },
  ],
];

async function startHostileRouter(): Promise<string> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://router");
    const found = answers.find(([method, page]) => request.method === method && pathname.endsWith(page));
    if (found === undefined) {
      response.writeHead(400, { "content-type": "application/problem+json" });
      response.end(JSON.stringify(problem));
    } else {
      const isText = typeof found[2] === "string";
      response.writeHead(200, { "content-type": isText ? "text/plain" : "application/json" });
      response.end(isText ? found[2] : JSON.stringify(found[2]));
    }
  });
  server.on("upgrade", (_, socket) => {
    const body = JSON.stringify(problem);
    socket.end(`HTTP/1.1 400 Bad\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\r\n${body}`);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  // A server on a port has an address of this kind.
  return `ws://127.0.0.1:${(server.address() as { readonly port: number }).port}`;
}

test("no string of a hostile router reaches the terminal with a character that controls it or hides", async () => {
  const environment = {
    MP_URL: await startHostileRouter(),
    MP_NAME: "alice",
    MP_SECRET: "x",
    MP_ADMIN_TOKEN: "x",
    MP_DEBUG: "1",
  };
  const commands = [
    "client add alice",
    "client list",
    "rule show",
    "rule test a b c",
    "audit",
    "usage",
    "peers",
  ].concat(["client add alice --json", "client list --json", "audit --json"]);
  const results = await Promise.all(
    commands.map(async (command) => [command, await mp(command.split(" "), environment)] as const),
  );
  for (const [command, { text, stderr }] of results) {
    expect([command, text + stderr]).toEqual([command, expect.stringMatching(/^[\x20-\x7e\n…\ufffd]+$/)]);
    expect([command, text + stderr]).toEqual([
      command,
      expect.stringContaining("\\u001b]0;owned\\u0007\\u001b[2J\\u009b31m"),
    ]);
  }
  const added = results.find(([command]) => command === "client add alice --json")?.[1].text ?? "";
  expect(added).toContain("\\u202eevil\\u200b\\udb40\\udc61\\u00a0");
  expect((JSON.parse(added) as { name: string }).name).toBe(info.name);
});
