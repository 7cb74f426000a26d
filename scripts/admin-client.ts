import { setTimeout as delay } from "node:timers/promises";
import type { Usage } from "@messagepasser/protocol/admin";
import type { Router } from "./router.ts";

type Where = Pick<Router, "url" | "adminToken">;

/** Adds a client through the router's admin API and returns its secret. */
export async function addClient(router: Where, name: string, realm = "default"): Promise<string> {
  return await add(router, `${realm}/clients`, { name });
}

/** Has the router take tokens of the keys at a URL (JWKS). */
export async function addKeySet(router: Where, id: string, jwksUrl: string, realm = "default"): Promise<void> {
  await add(router, `${realm}/keys`, { id, jwksUrl });
}

/** Adds a key for tokens, which the router makes, and returns its secret. */
export async function addKey(router: Where, id: string, realm = "default"): Promise<string> {
  return await add(router, `${realm}/keys`, { id });
}

/** Makes a realm grow to so many shards, and waits until it has. */
export async function setShards(router: Where, shards: number, realm = "default"): Promise<void> {
  await beginGrowth(router, shards, realm);
  while (await isGrowing(router, realm)) await delay(20);
}

/** Makes a realm grow to so many shards. */
export async function beginGrowth(router: Where, shards: number, realm = "default"): Promise<void> {
  await ask(router, "PUT", `${realm}/shards`, { shards });
}

async function isGrowing(router: Where, realm: string): Promise<boolean> {
  return "target" in ((await ask(router, "GET", `${realm}/shards`)) as object);
}

/** Ends all objects of a realm, with their sockets. */
export async function restartRealm(router: Where, realm = "default"): Promise<void> {
  await ask(router, "POST", `${realm}/restart`);
}

/** What a realm has used. */
export async function usageOf(router: Where, realm = "default"): Promise<Usage> {
  // The router's own answer: see admin.ts.
  return (await ask(router, "GET", `${realm}/usage`)) as Usage;
}

async function add(router: Where, path: string, body: object): Promise<string> {
  // The router's own answers: see admin.ts.
  return ((await ask(router, "POST", path, body)) as { readonly secret: string }).secret;
}

/** @returns the answer; `undefined` for an empty one */
async function ask(router: Where, method: string, path: string, body?: object): Promise<unknown> {
  const url = new URL(`/admin/v1/realms/${path}`, router.url.href.replace(/^ws/, "http"));
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${router.adminToken}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer: unknown = response.status === 204 ? undefined : await response.json();
  if (!response.ok) throw new Error(`Cannot ${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(answer)}`);
  return answer;
}
