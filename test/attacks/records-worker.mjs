// The router's Worker with one route more, which lets the tests write what KV holds as an attacker in KV would.
import worker, { RouterObject } from "../../src/worker.ts";

export { RouterObject };

// oxlint-disable-next-line import/no-default-export -- a Worker's handler is its module's default export.
export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (url.pathname !== "/test/records") return worker.fetch(request, env, context);
    const key = url.searchParams.get("key");
    if (request.method === "DELETE") await env.CREDENTIALS.delete(key);
    else await env.CREDENTIALS.put(key, await request.arrayBuffer());
    return new Response(await env.CREDENTIALS.get(key));
  },
};
