import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { connect } from "./browser.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const connecting = (): Promise<unknown> => connect("ws://127.0.0.1:1", { name: "alice", secret: "mp_secret" });

test.each(["hello world", "", "mp.v1"])("an answer with %o as the ticket fails the attempt at once", async (ticket) => {
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ ticket })));
  await expect(connecting()).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringContaining("SyntaxError") as string,
  });
});

test("a policy of the page that forbids sockets fails the attempt at once", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ ticket: "mp.ticket.x" })));
  vi.stubGlobal("WebSocket", function () {
    throw new DOMException("The page's policy forbids it", "SecurityError");
  });
  await expect(connecting()).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringContaining("policy") as string,
  });
});

test("a page's function for the secret is asked before the ticket", async () => {
  const asked: (string | null)[] = [];
  vi.stubGlobal("fetch", (_: string, { headers }: RequestInit) => {
    asked.push(new Headers(headers).get("authorization"));
    return Promise.resolve(new Response(""));
  });
  const secret = (): Promise<string> => Promise.resolve("mp_fresh\n");
  await expect(connect("ws://127.0.0.1:1", { name: "alice", secret })).rejects.toMatchObject({ code: "unreachable" });
  expect(asked).toEqual([`Basic ${btoa("alice:mp_fresh")}`]);
});

test("a page that its browser keeps the answer from is told what to check", async () => {
  const failed = new TypeError("Failed to fetch");
  vi.stubGlobal("fetch", () => Promise.reject(failed));
  await expect(connecting()).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringContaining(
      "TypeError: Failed to fetch: check the URL, the network, and whether the router lets this page connect",
    ) as string,
    cause: failed,
  });
});

test("an answer without an end instead of a ticket is read no further than a ticket is long", async () => {
  let pulls = 0;
  const isCancelled = Promise.withResolvers<undefined>();
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (++pulls > 10) controller.error(new Error("read too far"));
      controller.enqueue(new Uint8Array(1_024).fill(0x20));
    },
    cancel: () => {
      isCancelled.resolve(undefined);
    },
  });
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(body)));
  await expect(connecting()).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringContaining('answered "200"') as string,
  });
  await isCancelled.promise;
});

test("a captive portal's page instead of a ticket is named by its status", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("<h1>Welcome</h1>", { statusText: "OK" })));
  await expect(connecting()).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringMatching(/answered "200 OK", which is no answer of a router/) as string,
  });
});

test("a redirect instead of a ticket isn't followed with the secret", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(307, { location: "/elsewhere" }).end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  // A server on a port has an address of this kind.
  const { port } = server.address() as { readonly port: number };
  await expect(connect(`ws://127.0.0.1:${port}`, { name: "alice", secret: "mp_secret" })).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringContaining("a redirect to /elsewhere") as string,
  });
  expect(asked).toHaveLength(1);
});

test("a redirect of which a page sees nothing is named as a redirect", async () => {
  const opaque = { type: "opaqueredirect", ok: false, status: 0, statusText: "", headers: new Headers(), body: null };
  vi.stubGlobal("fetch", () => Promise.resolve(opaque));
  await expect(connecting()).rejects.toMatchObject({ message: expect.stringContaining('"a redirect"') as string });
});

test.each([
  ["?flag&sig=a%20b~x&to=/connect/b?c", "?flag&sig=a%20b~x&to=/connect/b?c&session="],
  ["?session=mine&a&&b=%41", "?a&&b=%41&session="],
  ["", "?session="],
])("the query %s of a URL stays as it was written", async (query, sent) => {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (href: string) => {
    asked.push(href);
    return Promise.resolve(new Response(""));
  });
  await expect(connect(`ws://127.0.0.1:1/x${query}`, { name: "alice", secret: "mp_secret" })).rejects.toThrow();
  expect(asked[0]?.replace(/[\da-f]{32}$/, "")).toBe(`http://127.0.0.1:1/x/ticket/default${sent}`);
});
