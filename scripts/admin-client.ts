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

async function add(router: Where, path: string, body: object): Promise<string> {
  const url = new URL(`/admin/v1/realms/${path}`, router.url.href.replace(/^ws/, "http"));
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${router.adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  // The router's own answers: see admin.ts.
  const answer = (await response.json()) as { readonly secret: string; readonly detail: string };
  if (!response.ok) throw new Error(`Cannot add ${JSON.stringify(body)}: ${answer.detail}`);
  return answer.secret;
}
