import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { AdminApi } from "./admin-api.ts";

/** What a server answers to a call of the admin API. */
async function refusalOf(status: number, problem: object): Promise<unknown> {
  const server = createServer((_, response) => {
    response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return await new AdminApi({ url, realm: "default", adminToken: "token" }).revoke("alice").catch((error) => error);
}

const own = { type: "about:blank", status: 404, code: "no-such-client", detail: 'There is no client "alice"' };

test("the router's own problem is what an admin call fails with", async () => {
  expect(await refusalOf(404, own)).toMatchObject({ message: own.detail, status: 1 });
});

test.each([
  ["a type of its own", 404, { ...own, type: "https://gate.example/nf" }],
  ["another status than the answer", 502, own],
  ["a code of its own", 404, { ...own, code: "no-such-page" }],
])("a gate's problem with %s is not taken for the router's", async (_, status, problem) => {
  expect(await refusalOf(status, problem)).toMatchObject({
    message: expect.stringContaining("which is no answer of a router") as string,
    status: 6,
  });
});

async function listOf(cursors: readonly string[]): Promise<number> {
  let pages = 0;
  const server = createServer((_, response) => {
    const cursor = cursors[Math.min(pages++, cursors.length - 1)];
    response.setHeader("content-type", "application/json").end(JSON.stringify({ clients: [], cursor }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  for await (const _ of new AdminApi({ url, realm: "default", adminToken: "token" }).list());
  return pages;
}

test.each([
  ["stays", ["a"]],
  ["goes back", ["b", "a"]],
])("a list of clients whose cursor %s is refused, since it would never end", async (_, cursors) => {
  await expect(listOf(cursors)).rejects.toThrow("unknown answer");
});

test("cursors grow by the bytes of UTF-8, in which the router sorts names", async () => {
  expect(await listOf(["\uffee", "\u{1f600}", ""])).toBe(3);
});
