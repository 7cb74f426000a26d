import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

const stepMs = 5;

/** A slow line: a proxy for TCP that lets so many bytes a second through to the client, and the other way as many as come. */
export async function slowLine(target: URL, bytesPerSecond: number): Promise<{ readonly url: URL } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const router = connect({ host: target.hostname, port: Number(target.port), noDelay: true });
    for (const socket of [client, router]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        for (const each of [client, router]) each.destroy();
        sockets.delete(socket);
      });
    }
    client.pipe(router);
    let leftBytes = 0;
    let countedMs = performance.now();
    const timer = setInterval(() => {
      const nowMs = performance.now();
      leftBytes = Math.min(leftBytes + ((nowMs - countedMs) * bytesPerSecond) / 1_000, bytesPerSecond / 20);
      countedMs = nowMs;
      while (leftBytes > 0) {
        const size = Math.min(router.readableLength, Math.ceil(leftBytes));
        const chunk = size > 0 ? (router.read(size) as Buffer | null) : null;
        if (chunk === null) break;
        client.write(chunk);
        leftBytes -= chunk.length;
      }
    }, stepMs);
    // Reads only what the loop asks for.
    router.on("readable", () => undefined);
    client.on("close", () => {
      clearInterval(timer);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // A server on a port has an address of this kind.
    url: new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
