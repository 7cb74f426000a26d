import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request as forward } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { subprotocols } from "@messagepasser/protocol";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { basic } from "../support/credentials.ts";
import { attempt, offer } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

// The attacker reads what a log of requests keeps: URLs and headers, where tools and the platform leave out only the
// header that is known to carry secrets, "Authorization".

const root = join(import.meta.dirname, "..", "..");
const victims = underAttack();

/** The package as a page gets it. Node has the WebSocket and the fetch that it needs. */
let browser: typeof import("messagepasser");
beforeAll(async () => {
  browser = (await import(join(root, "client", "dist", "browser.js"))) as typeof import("messagepasser");
});

/** A proxy that logs all requests to the router. @returns its URL, and what is in its log by now */
async function loggingProxy(): Promise<{ url: URL; log: () => string }> {
  const lines: string[] = [];
  const note = ({ method = "", url = "", headers }: IncomingMessage): void => {
    lines.push(JSON.stringify([method, url, { ...headers, authorization: "REDACTED" }]));
  };
  const optionsOf = ({ method, url, headers }: IncomingMessage): object => {
    const { hostname, port } = victims.router.url;
    return { hostname, port, method, path: url, headers };
  };
  const server = createServer((incoming, response) => {
    note(incoming);
    const outgoing = forward(optionsOf(incoming), (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(outgoing);
  });
  server.on("upgrade", (incoming, socket) => {
    note(incoming);
    const outgoing = forward(optionsOf(incoming)).end();
    outgoing.on("upgrade", ({ headers }, other, first) => {
      const head = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head.join("")}\r\n`);
      socket.write(first);
      socket.pipe(other).pipe(socket);
      for (const end of [socket, other]) end.on("error", () => undefined);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`ws://127.0.0.1:${port}`), log: () => lines.join("\n") };
}

test("the log of a page's requests has nothing with which its reader could connect", async () => {
  const { url, log } = await loggingProxy();
  const secret = await victims.secretOf("page");
  await using client = await browser.connect(url, { name: "page", secret });
  await using connection = await client.open("$echo", "any", { first: "hello" });
  expect(await connection.receive()).toBe("hello");

  const logged = log();
  for (const needle of [secret, secret.slice(30, 60), basic("page", secret).slice("Basic ".length)])
    expect(logged).not.toContain(needle);
  const [ticket = ""] = /mp\.ticket\.[\w-]+/.exec(logged) ?? [];
  expect(ticket).not.toBe("");
  const { status, body } = await attempt(victims.router.url, "/connect/default", [
    [offer[0], `${offer[1]}, ${ticket}`],
  ]);
  expect([status, body]).toEqual([401, expect.stringContaining("was used before")]);
  // The page notices nothing.
  await connection.send("still here");
  expect(await connection.receive()).toBe("still here");
});

test("a page that is refused is told so by the answer to its request, and no socket is opened for it", async () => {
  const { url, log } = await loggingProxy();
  const connecting = browser.connect(url, { name: "page", secret: "mp_guess" });
  await expect(connecting).rejects.toMatchObject({ code: "unauthorized" });
  expect(log()).not.toContain(subprotocols.native);
});

test("the deployed Worker logs no requests, whose headers are among what a log of them keeps", async () => {
  const settings = await readFile(join(root, "wrangler.toml"), "utf8");
  const logs = settings.split("[observability.logs]")[1] ?? "";
  expect(logs).toMatch(/^\s*enabled = true\ninvocation_logs = false\n/);
});
