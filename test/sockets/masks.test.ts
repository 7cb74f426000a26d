import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { encodeBatch, routerAddress } from "@messagepasser/protocol";
import { connect } from "messagepasser";
import { expect, test } from "vitest";

/** RFC 6455, 1.3. */
const handshakeSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const welcome = encodeBatch(routerAddress, {
  kind: "welcome",
  session: "0".repeat(32),
  name: "alice",
  realm: "default",
  budget: 1_000_000,
});

/** Lets a client in, and hands out the mask of the first WebSocket message that it sends. */
async function firstMask(socket: Socket): Promise<Uint8Array> {
  const [request] = (await once(socket, "data")) as [Buffer];
  const key = /^sec-websocket-key: (.*)\r$/im.exec(request.toString())?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}${handshakeSuffix}`).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mp.v1\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.write(Buffer.concat([Buffer.of(0x82, welcome.length), welcome]));
  const [message] = (await once(socket, "data")) as [Buffer];
  const [, length = 0] = message;
  // Masked, and short enough for its length to stand here.
  expect(length).toBeGreaterThan(0x80);
  expect(length).toBeLessThan(0x80 + 126);
  return message.subarray(2, 6);
}

// 0.0.0.0 gets to this machine, too, but isn't known to.
test.each([
  ["127.0.0.1", true],
  ["0.0.0.0", false],
])("the messages of a client to %s have a mask of zeros: %s", async (host, isZero) => {
  await using server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const connection = once(server, "connection") as Promise<[Socket]>;
  const { port } = server.address() as { port: number };
  const connecting = connect(`ws://${host}:${port}`, { name: "alice", secret: "secret" });
  const [socket] = await connection;
  const mask = firstMask(socket);
  const client = await connecting;
  const opening = client.open("bob", "x");
  opening.catch(() => undefined);
  expect((await mask).every((byte) => byte === 0)).toBe(isZero);
  await client.close({ deadlineMs: 0 });
  socket.destroy();
});
