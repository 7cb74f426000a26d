import type { Usage } from "@messagepasser/protocol/admin";
import { subprotocols } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { startRealm } from "../sockets/realm.ts";
import { basic, newSession } from "../support/credentials.ts";
import { RawHttp, upgradeText } from "./raw-http.ts";

// Nothing but the end of the object ends a socket whose client ignores its close. So the owner has to see it.

test("a client that goes on after it was revoked is counted and named, and gone once the owner restarts the realm", async () => {
  await using realm = await startRealm();
  const { url, adminToken } = realm.router;
  const admin = async (method: string, path: string): Promise<Response> =>
    await fetch(new URL(`/admin/v1/realms/default/${path}`, url.href.replace(/^ws/, "http")), {
      method,
      headers: { authorization: `Bearer ${adminToken}` },
    });
  const usage = async (): Promise<Usage> => (await (await admin("GET", "usage")).json()) as Usage;

  const statuses: string[] = [];
  await using alice = await realm.connect("alice", { onStatus: ({ kind }) => void statuses.push(kind) });
  await using bob = await realm.connect("bob");
  bob.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
  });
  await using connection = await alice.open("bob", "echo", { first: "before" });
  expect(await connection.receive()).toBe("before");

  using mallory = await RawHttp.to(url);
  const lines = [
    ["Authorization", basic("mallory", await realm.secretOf("mallory"))],
    ["Sec-WebSocket-Protocol", subprotocols.native],
  ] as const;
  expect((await mallory.ask(upgradeText(`/connect/default?session=${newSession()}`, lines))).status).toBe(101);
  expect(await usage()).toMatchObject({ messagesAfterClose: 0, unclosed: [] });
  expect((await admin("DELETE", "clients/mallory")).status).toBe(204);
  // Empty batches, masked with zeros; the router's close is never answered.
  mallory.write(Buffer.from("8280 00000000".replaceAll(" ", "").repeat(500), "hex"));
  await expect.poll(usage).toMatchObject({ messagesAfterClose: 500, unclosed: ["mallory"] });
  await connection.send("during");
  expect(await connection.receive()).toBe("during");
  expect(statuses).toEqual(["online"]);

  await realm.router.evict("hibernate");
  mallory.write(Buffer.from("828000000000", "hex"));
  await expect.poll(usage).toMatchObject({ messagesAfterClose: 501, unclosed: ["mallory"] });

  expect((await admin("POST", "restart")).status).toBe(204);
  await mallory.closed;
  await connection.send("after");
  expect(await connection.receive()).toBe("after");
  expect(await usage()).toMatchObject({ messagesAfterClose: 501, unclosed: [] });
  const { entries } = (await (await admin("GET", "audit?limit=1")).json()) as { entries: { what: string }[] };
  expect(entries[0]).toMatchObject({ what: "restart", name: "" });
});
