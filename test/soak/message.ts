// Messages that say which they are: each has its number, its stream's label and a checksum of all of it. What is too
// short for that begins as a longer one would: with the lowest digits of the number, so that neighbours still differ.
import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import type { Message } from "messagepasser";
import { type DirectionPlan, maxMessageBytes, specOf } from "./plan.ts";
import { mixed } from "./random.ts";

/** Bytes: number, label and checksum, each with 32 bits. */
const byteHeaderLength = 12;
/** Text: the same in hexadecimal, then characters that take two units, three bytes and two. */
const marker = ":🙂亀é:";
const textHeaderLength = 24 + marker.length;

/** Larger than the largest message and without a period, so that no two places look alike. */
const poolLength = 2 * maxMessageBytes;
const bytePool = bytesWithoutPeriod();
const textPool = textWithoutPeriod(bytePool);

/** The message of a number. */
export function messageOf(direction: DirectionPlan, seq: number): Message {
  const { kind, length } = specOf(direction, seq);
  return kind === "text" ? textOf(direction.label, seq, length) : bytesOf(direction.label, seq, length);
}

/** Whether this is, to the bit, the message of that number. */
export function isMessageOf(direction: DirectionPlan, seq: number, message: Message): boolean {
  const { kind, length } = specOf(direction, seq);
  if ((typeof message === "string") !== (kind === "text")) return false;
  if (!isReadable(message)) return isSame(message, messageOf(direction, seq));
  return message.length === length && numberIn(message, direction.label) === seq;
}

/** The number in a message of that direction; `undefined` if it's too short to have one, of another, or damaged. */
export function numberIn(message: Message, label: number): number | undefined {
  if (!isReadable(message)) return undefined;
  return typeof message === "string" ? numberInText(message, label) : numberInBytes(message, label);
}

/** Whether a message is long enough to say which it is. */
export function isReadable(message: Message): boolean {
  return message.length >= (typeof message === "string" ? textHeaderLength : byteHeaderLength);
}

/** For people. */
export function described(message: Message): string {
  const start = typeof message === "string" ? JSON.stringify(message.slice(0, 40)) : hexOf(message.subarray(0, 16));
  return `${typeof message === "string" ? "text" : "bytes"} of length ${message.length}, beginning with ${start}`;
}

function bytesOf(label: number, seq: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(length, byteHeaderLength));
  const start = placeOf(label, seq);
  bytes.set(bytePool.subarray(start, start + bytes.length - byteHeaderLength), byteHeaderLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, seq, true);
  view.setUint32(4, label);
  view.setUint32(8, checksumOf(bytes));
  return bytes.subarray(0, length);
}

function numberInBytes(bytes: Uint8Array, label: number): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(4) !== label || view.getUint32(8) !== checksumOf(bytes)) return undefined;
  return view.getUint32(0, true);
}

function checksumOf(bytes: Uint8Array): number {
  return crc32(bytes.subarray(byteHeaderLength), crc32(bytes.subarray(0, 8)));
}

function textOf(label: number, seq: number, length: number): string {
  const numbers = reversed(hex(seq)) + hex(label);
  // Never half of a character.
  if (length < textHeaderLength) return numbers.slice(0, Math.min(length, numbers.length));
  const start = placeOf(label, seq);
  const rest = marker + textPool.slice(start, start + length - textHeaderLength);
  return numbers + hex(crc32(numbers + rest)) + rest;
}

function numberInText(text: string, label: number): number | undefined {
  const numbers = text.slice(0, 16);
  if (numbers.slice(8) !== hex(label)) return undefined;
  return text.slice(16, 24) === hex(crc32(numbers + text.slice(24)))
    ? Number.parseInt(reversed(numbers.slice(0, 8)), 16)
    : undefined;
}

function hex(number: number): string {
  return number.toString(16).padStart(8, "0");
}

function reversed(digits: string): string {
  return digits.split("").toReversed().join("");
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

function isSame(one: Message, other: Message): boolean {
  if (typeof one === "string" || typeof other === "string") return one === other;
  return Buffer.compare(one, other) === 0;
}

/** Where in the pools a message's content begins. */
function placeOf(label: number, seq: number): number {
  return mixed(label ^ Math.imul(seq + 1, 0x9e3779b1)) % (poolLength - maxMessageBytes);
}

function bytesWithoutPeriod(): Uint8Array {
  const numbers = Uint32Array.from({ length: poolLength / 4 }, (_, index) => mixed(index + 1));
  return new Uint8Array(numbers.buffer);
}

/** One UTF-16 unit for each byte: mostly ASCII, with characters of two and three bytes of UTF-8 in between. */
function textWithoutPeriod(bytes: Uint8Array): string {
  const units = Uint16Array.from(bytes, (byte) => {
    if (byte < 8) return 0x4e80 + byte;
    return byte < 16 ? 0xe0 + byte : 0x20 + (byte % 0x5f);
  });
  return Buffer.from(units.buffer).toString("utf16le");
}
