import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { AdminApi } from "./admin-api.ts";

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
