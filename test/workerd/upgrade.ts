import { exports } from "cloudflare:workers";
import { subprotocols } from "@messagepasser/protocol";

/** A WebSocket upgrade, as a client would send it. */
export function upgrade(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return exports.default.fetch(`https://router.test${path}`, {
    headers: { upgrade: "websocket", "sec-websocket-protocol": subprotocols.native, ...headers },
  });
}

/** The socket of an upgrade, which gives binary as an ArrayBuffer. It is yet to be accepted. */
export async function socketOf(response: Response): Promise<WebSocket> {
  const socket = response.webSocket;
  if (socket === null) throw new Error(`Not upgraded: ${response.status} ${await response.text()}`);
  socket.binaryType = "arraybuffer";
  return socket;
}
