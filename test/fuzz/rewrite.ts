import { limits } from "@messagepasser/protocol";
import { accepts, creditToken, type NamedFormat, type Said, type WireMessage } from "@messagepasser/protocol/formats";
import { openerBit, type PeerFrame } from "@messagepasser/protocol";
import { encodeGob, gobDefinition } from "../../protocol/src/original/gob.ts";
import type { Message } from "../../protocol/src/original/message.ts";

/** Writes what a client says in a by-name format, as another program of its author might. */
export function writtenBy(format: NamedFormat, said: Said, self: string): WireMessage {
  if (format.subprotocol === "mp.v1.json") return JSON.stringify(jsonOf(said, self));
  const original = originalOf(said, self);
  if (format.subprotocol === "mp.v0.gob") return new Uint8Array(Buffer.concat([gobDefinition, encodeGob(original)]));
  const { meta, otherClient, connectionId, data } = original;
  const Data = data.length === 0 ? null : Buffer.from(data).toString("base64");
  return JSON.stringify({ Meta: meta, OtherClient: otherClient, ConnectionID: connectionId, Data });
}

function jsonOf(said: Said, self: string): object {
  if (said.to === "itself") throw new Error("JSON has nothing that is answered at once");
  if (said.to === "address") return { type: "reached", token: tokenOf(said.address, said.frame) };
  const { frame } = said;
  if (said.to === "router") {
    if (frame.kind === "reached") return { type: "reached", token: String(frame.token) };
    if (frame.kind === "bye") return { type: "bye" };
    if (frame.kind === "watch") return { type: "watch", request: frame.request, pattern: frame.pattern };
    if (frame.kind === "unwatch") return { type: "unwatch", request: frame.request };
    if (frame.kind === "serve")
      return { type: "serve", share: frame.share === 1, add: frame.add, remove: frame.remove };
    if (frame.kind === "list") return { type: "list", request: frame.request, cursor: frame.cursor };
    if (frame.kind !== "open") throw new Error(`JSON has no way to say "${frame.kind}"`);
    const { connection, peer, protocol, limit, metadata } = frame;
    return { type: "open", peer, connection: `${self}:${connection}`, protocol, limit, metadata };
  }
  const { peer } = said;
  const head = { peer, connection: nameOf(said.frame, self, peer, String) };
  const { kind } = said.frame;
  switch (kind) {
    case "credit":
      return { type: accepts(said.frame) ? "accept" : "credit", ...head, limit: said.frame.limit };
    case "reset":
      return { type: kind, ...head, code: said.frame.code, reason: said.frame.reason };
    case "fin":
      return { type: "end", ...head, offset: said.frame.offset };
    case "data": {
      const { text, last, offset, payload } = said.frame;
      const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
      const content = text ? { text: bytes.toString() } : { base64: bytes.toString("base64") };
      return { type: "data", ...head, ...content, more: !last, ...(offset !== undefined && { offset }) };
    }
    default:
      return { type: kind, ...head };
  }
}

function originalOf(said: Said, self: string): Message {
  const data = new Uint8Array();
  if (said.to === "itself") return { meta: 8, otherClient: self, connectionId: "", data };
  if (said.to === "address")
    return { meta: 2, otherClient: "", connectionId: `$mark:${tokenOf(said.address, said.frame)}`, data };
  if (said.to === "router") {
    const { frame } = said;
    if (frame.kind === "reached") return { meta: 2, otherClient: "", connectionId: `$mark:${frame.token}`, data };
    if (frame.kind !== "open") throw new Error(`The original has no way to say "${frame.kind}"`);
    const connectionId = `${self}:${hexadecimal(frame.connection)}`;
    return { meta: 5, otherClient: frame.peer, connectionId, data: new TextEncoder().encode(frame.protocol) };
  }
  const { peer: otherClient, frame } = said;
  const meta = { credit: 6, data: 0, reset: 3, stop: 7, done: 2 }[frame.kind as string];
  if (meta === undefined) throw new Error(`The original has no way to say "${frame.kind}"`);
  const connectionId = nameOf(frame, self, otherClient, hexadecimal);
  return { meta, otherClient, connectionId, data: frame.kind === "data" ? frame.payload : data };
}

function nameOf({ connection }: PeerFrame, self: string, peer: string, write: (id: number) => string): string {
  const opener = (connection & openerBit) === 0 ? peer : self;
  return `${opener}:${write((connection & ~openerBit) >>> 0)}`;
}

function hexadecimal(id: number): string {
  return (id - 1).toString(16);
}

function tokenOf(address: number, frame: PeerFrame): string {
  if (frame.kind !== "credit") throw new Error(`A mark that says "${frame.kind}"`);
  return creditToken(address, frame.connection, frame.limit - limits.firstWindowBytes);
}
