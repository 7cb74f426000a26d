import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import type { Client } from "messagepasser";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { addClient } from "../../scripts/admin-client.ts";
import { startRouter } from "../../scripts/router.ts";
import { launchChromium } from "../support/chromium.ts";
import { NetworkPath } from "./proxy.ts";
import { type Realm, startRealm } from "./realm.ts";

// The package as a page gets it, in a real Chromium: the other end is a Node process, the router is real.

/** The exports of the page's module; the same as in Node. */
type Package = typeof import("messagepasser");
declare global {
  // Set by the page below.
  var messagepasser: Package;
}

const html = `<!doctype html><meta charset="utf-8"><title>MessagePasser</title>
<script type="module">globalThis.messagepasser = await import("/browser.js");</script>`;

let realm: Realm;
let server: Server;
let browser: Browser;
let page: Page;
let node: Client;
let start: { url: string; name: string; secret: string };

beforeAll(async () => {
  realm = await startRealm();
  const script = await readFile(join(import.meta.dirname, "..", "..", "client", "dist", "browser.js"));
  server = createServer(({ url }, response) => {
    response.setHeader("content-type", url === "/browser.js" ? "text/javascript" : "text/html");
    response.end(url === "/browser.js" ? script : html);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  browser = await launchChromium();
  node = await realm.connect("node");
  node.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
    await connection.close();
  });
  start = { url: realm.router.url.href, name: "page", secret: await realm.secretOf("page") };
});

afterAll(async () => {
  await browser.close();
  server.close();
  await node.close();
  await realm[Symbol.asyncDispose]();
});

beforeEach(async () => {
  page = await browser.newPage();
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The page's server has no port");
  await page.goto(`http://127.0.0.1:${address.port}/`);
  await page.waitForFunction(() => "messagepasser" in globalThis);
  return () => page.close();
});

describe("a page", () => {
  test("a page opens a Connection and echoes text and 5 MiB of bytes", async () => {
    const { text, checksum, length } = await page.evaluate(async ({ url, ...options }) => {
      const client = await messagepasser.connect(url, options);
      const connection = await client.open("node", "echo", { first: "héllo ✓" });
      const text = await connection.receive();
      const bytes = new Uint8Array(5 * 1024 * 1024);
      for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      const sent = connection.send(bytes);
      const received = (await connection.receive()) as Uint8Array<ArrayBuffer>;
      await sent;
      const digests = await Promise.all([bytes, received].map((each) => crypto.subtle.digest("SHA-256", each)));
      const hex = digests.map((digest) => Array.from(new Uint8Array(digest)).join());
      await connection.close();
      await client.close();
      return { text, checksum: hex[0] === hex[1], length: received.length };
    }, start);
    expect({ text, checksum, length }).toEqual({ text: "héllo ✓", checksum: true, length: 5 * 1024 * 1024 });
  });

  test("a page handles Connections that a program opens, with back-pressure in both directions", async () => {
    await page.evaluate(async ({ url, ...options }) => {
      const client = await messagepasser.connect(url, options);
      client.handle("echo", async (connection) => {
        await connection.readable.pipeTo(connection.writable);
      });
    }, start);
    const connection = await node.open("page", "echo");
    const bytes = randomBytes(2_000_000);
    const sending = connection.send(bytes).then(() => connection.end());
    const hash = createHash("sha256");
    for await (const chunk of connection.readable) hash.update(chunk);
    await sending;
    expect(hash.digest("hex")).toBe(createHash("sha256").update(bytes).digest("hex"));
  });

  test("a page is told why it isn't let in", async () => {
    const attempt = async (secret: string, realmName: string): Promise<unknown> =>
      await page.evaluate(
        async ({ url, name, ...options }) => {
          try {
            await messagepasser.connect(url, { name, ...options });
            return "let in";
          } catch (error) {
            if (!(error instanceof messagepasser.LinkError)) throw error;
            return { code: error.code, message: error.message.replace(/.*: /, ""), retry: error.shouldRetry() };
          }
        },
        { ...start, secret, realm: realmName },
      );
    const refused = {
      code: "unauthorized",
      message: "Name or secret is wrong for this realm, or the secret was rotated or revoked",
      retry: false,
    };
    expect(await attempt(`${start.secret.slice(0, -4)}AAAA`, "default")).toEqual(refused);
    expect(await attempt(start.secret, "another")).toEqual(refused);
  });

  test("a page gets the same error codes as a program", async () => {
    const codes = await page.evaluate(async ({ url, ...options }) => {
      const client = await messagepasser.connect(url, options);
      const attempts = [client.open("node", "nothing"), client.open("nobody", "echo"), client.open("a:b", "echo")];
      const outcomes = await Promise.allSettled(attempts);
      await client.close();
      return outcomes.map((outcome) =>
        outcome.status === "fulfilled" ? "opened" : ((outcome.reason as { code?: string; name: string }).code ?? "?"),
      );
    }, start);
    expect(codes).toEqual(["unknown-protocol", "peer-absent", "bad-open"]);
  });

  test("a page of an origin that the router doesn't list is told what to check", async () => {
    await using router = await startRouter({ variables: { MP_ORIGINS: "https://app.example.com" } });
    const secret = await addClient(router, "page");
    const told = await page.evaluate(
      async (options) => await messagepasser.connect(options.url, options).catch((error: unknown) => String(error)),
      { url: router.url.href, name: "page", secret },
    );
    expect(told).toMatch(/Failed to fetch: check the URL, the network, and whether the router lets this page connect$/);
  });

  test("a page that goes offline in the middle of a transfer, and online again, goes on with it", async () => {
    await using path = await NetworkPath.to(realm.router.url);
    const statuses: string[] = [];
    const offline = Promise.withResolvers<undefined>();
    const isCut = Promise.withResolvers<undefined>();
    await page.exposeFunction("cutHere", async () => {
      await page.context().setOffline(true);
      // Chromium tells nobody that what lives is cut: the client asks the router when it hears that the network has gone.
      path.cut();
      isCut.resolve(undefined);
    });
    await page.exposeFunction("tell", (status: string) => {
      statuses.push(status);
      if (status.startsWith("offline")) offline.resolve(undefined);
    });
    const transfer = page.evaluate(
      async ({ url, ...options }) => {
        // Exposed above.
        const { tell, cutHere } = globalThis as unknown as {
          tell: (status: string) => void;
          cutHere: () => Promise<void>;
        };
        const client = await messagepasser.connect(url, {
          ...options,
          onStatus: (status) => {
            tell(status.kind === "offline" ? `offline: ${status.error.code}, ${status.retryInMs >= 0}` : status.kind);
          },
        });
        const connection = await client.open("node", "echo");
        const count = 400;
        const sending = (async () => {
          for (let number = 0; number < count; number++) await connection.send(new Uint8Array(50_000).fill(number));
          await connection.end();
        })();
        let received = 0;
        for await (const message of connection) {
          const isGood = message.length === 50_000 && message[0] === received % 256;
          if (!isGood) throw new Error(`Message ${received} is not what was sent`);
          received++;
          if (received === 100) await cutHere();
        }
        await sending;
        const end = await connection.closed;
        await client.close();
        return { received, isWhole: end === undefined };
      },
      { ...start, url: path.url.href },
    );
    // Awaited below: what goes wrong before is told there.
    transfer.catch(() => undefined);
    await isCut.promise;
    await offline.promise;
    const dials = path.dials;
    await vi.waitFor(() => expect(statuses).toContain("offline: unreachable, true"), { timeout: 15_000 });
    expect(path.dials).toBe(dials);
    await page.context().setOffline(false);
    expect(await transfer).toEqual({ received: 400, isWhole: true });
    expect(statuses.slice(0, 3)).toEqual(["online", "offline: link-lost, true", "offline: unreachable, true"]);
    expect(statuses.filter((status) => status !== "closed").slice(-2)).toEqual(["online", "resumed"]);
  });

  test("two tabs of one name are both online, and each has the Connections that it opened", async () => {
    const tab = await browser.newPage();
    await tab.goto(page.url());
    await tab.waitForFunction(() => "messagepasser" in globalThis);
    const sessions = await Promise.all(
      [page, tab].map((each) =>
        each.evaluate(async ({ url, ...options }) => {
          const client = await messagepasser.connect(url, options);
          const connection = await client.open("node", "echo", { first: client.session });
          return await connection.receive();
        }, start),
      ),
    );
    const there = await node.peers({ details: true });
    expect(there.map(({ session }) => session)).toEqual(expect.arrayContaining(sessions));
    expect(new Set(sessions).size).toBe(2);
    await tab.close();
  });

  test("a page that is left tells its peers", async () => {
    await page.evaluate(async ({ url, ...options }) => {
      const client = await messagepasser.connect(url, options);
      client.handle("stay", () => undefined);
    }, start);
    const connection = await node.open("page", "stay");
    await page.goto("about:blank");
    expect(await connection.closed).toMatchObject({
      code: "peer-gone",
      message: expect.stringContaining("ended its session") as string,
    });
  });

  test("a page that is closed is gone for its peers", async () => {
    await page.evaluate(async ({ url, ...options }) => {
      const client = await messagepasser.connect(url, options);
      client.handle("stay", () => undefined);
    }, start);
    await using impatient = await realm.connect("impatient", { graceMs: 200 });
    const connection = await impatient.open("page", "stay");
    await page.close();
    expect(await connection.closed).toMatchObject({ code: "peer-gone", peer: "page" });
  });
});
