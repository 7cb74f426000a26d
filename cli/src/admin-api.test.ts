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

/** An API whose router gives the same answer to all calls. */
async function apiThatGets(status: number, body: string, type = "application/json"): Promise<AdminApi> {
  const server = createServer((_, response) => {
    response.writeHead(status, { "content-type": type }).end(body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return new AdminApi({ url, realm: "default", adminToken: "token" });
}

test("a change that some shards have not confirmed succeeds, and names them", async () => {
  const key = { id: "shop", algorithm: "HS256", source: "made", audiences: [], maxLifeS: 60, revokedBefore: null };
  const info = { ...key, addedAt: "2026-01-01T00:00:00.000Z" };
  const api = await apiThatGets(202, JSON.stringify({ ...info, unconfirmedShards: [1, 3] }));
  expect(await api.revokeTokens({ key: "shop" })).toEqual({ ...info, unconfirmedShards: [1, 3] });
  expect(await api.replaceRules("")).toEqual({ unconfirmedShards: [1, 3] });
  expect(await api.removeKey("shop")).toEqual({ unconfirmedShards: [1, 3] });
  const confirmed = await apiThatGets(204, "");
  expect([await confirmed.replaceRules(""), await confirmed.removeKey("shop")]).toEqual([{}, {}]);
});

test.each([
  ["no shards", 202, "{}"],
  ["shards that are no list", 202, '{"unconfirmedShards": 2}'],
  ["a page", 202, "<html></html>"],
])("an answer with %s is not taken for the success of a change", async (_, status, body) => {
  const api = await apiThatGets(status, body);
  await expect(api.replaceRules("")).rejects.toThrow("unknown answer");
});

test("a page of a gate is not taken for the success of a change, whatever its status", async () => {
  const api = await apiThatGets(202, "<html></html>", "text/html");
  await expect(api.replaceRules("")).rejects.toThrow("which is no answer of a router");
});
