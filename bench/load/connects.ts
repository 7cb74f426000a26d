import { once } from "node:events";
import { join } from "node:path";
import { WebSocket } from "ws";
import { addClient } from "../../scripts/admin-client.ts";
import { bundledWorker, type Router, startRouter } from "../../scripts/router.ts";
import { pairedRatios, spreadOf } from "../statistics.ts";

const [rounds, roundMs, atOnce] = [15, 1_000, 8];

/** How many links a second can be opened, with authentication and without. */
export async function connects(): Promise<string[]> {
  const open = join(import.meta.dirname, "open-authenticator.ts");
  await using strict = await startRouter();
  await using lax = await startRouter({ worker: await bundledWorker(undefined, { "./authenticator.ts": open }) });
  const secrets = await Promise.all(
    Array.from({ length: atOnce }, async (_, at) => ({
      name: `client-${at}`,
      secret: await addClient(strict, `client-${at}`),
    })),
  );
  const [withSecrets, without]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    const figures = [await perSecond(strict, secrets), await perSecond(lax, secrets)] as const;
    // The first one warms up.
    if (round === 0) continue;
    withSecrets.push(figures[0]);
    without.push(figures[1]);
  }
  const ratio = spreadOf(pairedRatios(withSecrets, without));
  return [
    `${spreadOf(withSecrets).median.toFixed(0)} links a second, ${spreadOf(without).median.toFixed(0)} without authentication`,
    `ratio ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)}), median of ${rounds} rounds`,
  ];
}

async function perSecond(
  router: Router,
  clients: readonly { readonly name: string; readonly secret: string }[],
): Promise<number> {
  const startMs = performance.now();
  let count = 0;
  await Promise.all(
    clients.map(async ({ name, secret }) => {
      while (performance.now() - startMs < roundMs) {
        const authorization = `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}`;
        const socket = new WebSocket(new URL("/connect", router.url).href, "mp.v1", { headers: { authorization } });
        await once(socket, "open");
        socket.terminate();
        count++;
      }
    }),
  );
  return (count * 1_000) / (performance.now() - startMs);
}
