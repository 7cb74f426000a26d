import WebSocket from "ws";
import type { Realm } from "../realm.ts";
import { connectIn, Hand, Inbox, type Message, type Talker } from "./talk.ts";

interface Frame {
  readonly type: string;
  readonly peer?: string;
  readonly connection?: string;
  readonly protocol?: string;
  readonly code?: string;
  readonly text?: string;
  readonly base64?: string;
  readonly more?: boolean;
  readonly token?: string;
}

const maxPieceBytes = 49_152;

/** A client in JSON that knows nothing of this repository's code, and counts no credit. */
export async function jsonTalker(realm: Realm, name: string): Promise<Talker> {
  const hands = new Map<string, Hand>();
  const opened = new Map<string, Inbox<Hand>>();
  let lastId = 0;
  const say = (frame: Frame): void => {
    socket.send(JSON.stringify(frame));
  };
  const handOf = (peer: string, connection: string): Hand => {
    const hand = new Hand((what, message) => {
      if (what === "close") say({ type: "close", peer, connection });
      else if (what === "abort") say({ type: "reset", peer, connection });
      else for (const piece of piecesOf(message ?? "")) say({ type: "data", peer, connection, ...piece });
    });
    hands.set(connection, hand);
    return hand;
  };
  const inboxOf = (protocol: string): Inbox<Hand> => {
    const inbox = opened.get(protocol) ?? new Inbox();
    opened.set(protocol, inbox);
    return inbox;
  };
  const hear = (frame: Frame): void => {
    const { type, peer = "", connection = "", protocol = "" } = frame;
    if (type === "mark") say({ type: "reached", token: frame.token ?? "" });
    if (type === "open") {
      if (protocol === "unknown") say({ type: "reset", peer, connection, code: "unknown-protocol" });
      else {
        say({ type: "accept", peer, connection });
        inboxOf(protocol).put(handOf(peer, connection));
      }
      return;
    }
    const hear = hands.get(connection)?.hear;
    if (type === "accept") hear?.accept();
    if (type === "refused") hear?.refuse(frame.code ?? "");
    if (type === "data") {
      const { text, base64 = "", more = false } = frame;
      hear?.piece(text ?? new Uint8Array(Buffer.from(base64, "base64")), !more);
    }
    if (type === "end") hear?.end();
    if (type === "done") hear?.over("closed");
    if (type === "reset") {
      // Before the accept, it refuses the open; an open that was accepted stays so.
      hear?.refuse(frame.code ?? "");
      hear?.over("failed");
    }
  };
  const socket = await connectIn(realm, name, "mp.v1.json", (message) => {
    const frames = JSON.parse(message as string) as Frame | Frame[];
    for (const frame of Array.isArray(frames) ? frames : [frames]) hear(frame);
  });
  return {
    name,
    async open(peer, protocol) {
      const connection = `${name}:${++lastId}`;
      const hand = handOf(peer, connection);
      say({ type: "open", peer, connection, protocol });
      await hand.accepted;
      return hand;
    },
    accept: (protocol) => inboxOf(protocol).take(),
    [Symbol.asyncDispose]: () => {
      if (socket.readyState === WebSocket.OPEN) say({ type: "bye" });
      return Promise.resolve();
    },
  };
}

function* piecesOf(message: Message): Iterable<Pick<Frame, "text" | "base64" | "more">> {
  if (typeof message === "string") {
    yield { text: message };
    return;
  }
  for (let at = 0; at === 0 || at < message.length; at += maxPieceBytes) {
    const more = at + maxPieceBytes < message.length;
    yield { base64: Buffer.from(message.subarray(at, at + maxPieceBytes)).toString("base64"), more };
  }
}
