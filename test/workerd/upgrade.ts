import { exports } from "cloudflare:workers";
import { subprotocols } from "@messagepasser/protocol";
import { expect } from "vitest";
import { type Closing, RawLink } from "../support/raw-link.ts";
import { segmentReading } from "../support/readings.ts";

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

/** Waits for the close of a socket that an upgrade gave. */
export async function closingOf(response: Response): Promise<Closing> {
  const { code, reason } = await refusalOf(response);
  return { code, reason };
}

/** The same, with the `closing` frame that has to come first, and alone, where the socket speaks the native format. */
export async function refusalOf(response: Response): Promise<Closing & { delayMs: number | undefined }> {
  const socket = await socketOf(response);
  const link = new RawLink(socket, "refused", segmentReading);
  socket.accept();
  const isNative = response.headers.get("sec-websocket-protocol") === subprotocols.native;
  const closing = isNative ? await link.closedByRouter() : await link.closed();
  expect(link.unread).toEqual([]);
  return { ...closing, delayMs: link.announcedDelayMs };
}
