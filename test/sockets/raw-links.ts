import { once } from "node:events";
import { subprotocols } from "@messagepasser/protocol";
import { native } from "@messagepasser/protocol/formats";
import WebSocket from "ws";
import { basic } from "../support/credentials.ts";
import { RawLink, type Reading } from "../support/raw-link.ts";
import { type FrameItem, type FrameLink, frameReading } from "../support/readings.ts";
import type { Realm } from "./realm.ts";

/** The router that a link goes to, and the secret that a name has there. */
export type Destination = Pick<Realm, "router" | "secretOf">;

/** A WebSocket that is yet to open, which gives binary as an ArrayBuffer. */
export async function dial(to: Destination, name: string, subprotocol: string, session?: string): Promise<WebSocket> {
  const url = new URL("/connect/default", to.router.url);
  if (session !== undefined) url.searchParams.set("session", session);
  const socket = new WebSocket(url, subprotocol, { headers: { authorization: basic(name, await to.secretOf(name)) } });
  socket.binaryType = "arraybuffer";
  return socket;
}

/** A link of frames, after its welcome. Without a session, the router picks one, and the client can't come back in it. */
export async function rawLink(to: Destination, name: string, session?: string): Promise<FrameLink<WebSocket>> {
  const socket = await dial(to, name, subprotocols.native, session);
  const link = new RawLink<FrameItem, WebSocket>(socket, name, frameReading(native));
  await once(socket, "open");
  return await link.welcomed();
}

/** A link in any format that answers no marks, and leaves all that comes to be asked for. */
export async function formatLink<Item extends object>(
  to: Destination,
  name: string,
  subprotocol: string,
  reading: Reading<Item>,
): Promise<RawLink<Item, WebSocket>> {
  const socket = await dial(to, name, subprotocol);
  const link = new RawLink<Item, WebSocket>(socket, name, reading);
  link.answersMarks = false;
  await once(socket, "open");
  return link;
}
