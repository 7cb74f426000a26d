import type { Router } from "./router.ts";

/** Adds a client through the router's admin API and returns its secret. */
export async function addClient(
  router: Pick<Router, "url" | "adminToken">,
  name: string,
  realm = "default",
): Promise<string> {
  const url = new URL(`/admin/v1/realms/${realm}/clients`, router.url.href.replace(/^ws/, "http"));
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${router.adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ name }),
  });
  // The router's own answers: see admin.ts.
  const answer = (await response.json()) as { readonly secret: string; readonly detail: string };
  if (!response.ok) throw new Error(`Cannot add client "${name}": ${answer.detail}`);
  return answer.secret;
}
