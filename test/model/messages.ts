import { Buffer } from "node:buffer";
import type { Message } from "../../client/src/connection/message.ts";

/** A message of about this many bytes that is like no other: it begins with a label, as far as it has room for one. */
export function makeMessage(label: string, size: number, isText: boolean): Message {
  const filler = `${label} é𝄞 `;
  if (isText) return size < filler.length ? label.slice(0, size) : filler.repeat(Math.ceil(size / filler.length));
  return size === 0 ? new Uint8Array() : new Uint8Array(Buffer.alloc(size, filler));
}

export function areEqual(one: Message, other: Message): boolean {
  if (typeof one === "string" || typeof other === "string") return one === other;
  return Buffer.compare(one, other) === 0;
}

export function describeMessage(message: Message): string {
  return typeof message === "string"
    ? `text "${message.slice(0, 12)}" of ${message.length}`
    : `bytes "${Buffer.from(message).toString("utf8", 0, 12)}" of ${message.length}`;
}
