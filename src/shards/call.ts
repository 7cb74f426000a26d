import {
  ByteReader,
  ByteWriter,
  encodeFrame,
  type Openable,
  ProtocolError,
  RouterFrameReader,
  routerLimits,
} from "@messagepasser/protocol";
import { formatOf } from "@messagepasser/protocol/formats";
import { type CrossingItem, presenceChanges, type Stranger, type StrangerThere } from "../routing/crossing-item.ts";
import type { Grant, TokenGrant } from "../routing/link.ts";

/** The version of the calls between shards. During a deploy two shards may have different ones. */
const version = 2;

/** What one shard calls another with. */
export interface Call {
  /** The shard that calls. */
  readonly from: number;
  /** How many shards the realm has, as the caller knows it. */
  readonly shards: number;
  /** The number of the trunk between the two, as the caller has it. */
  readonly number: number;
  /** What the caller drew when it woke. */
  readonly life: number;
  /** Counts calls in that life, from 1. */
  readonly seq: number;
  /** Whether the same call was made before, and may have arrived. */
  readonly isAgain: boolean;
  readonly items: readonly CrossingItem[];
}

/** The answer to a call: the number of the trunk as the called shard has it. 0: it can't read the call. */
export type Answer = number;

const kinds = [
  "segment",
  "open",
  "resume",
  "list",
  "say",
  "gone",
  "fault",
  "subscribe",
  "roster",
  "sessions",
  "presence",
] as const satisfies CrossingItem["kind"][];

/** Of all calls, one after the other: new memory for each would cost as much as to copy into it. */
const ownWriter = new ByteWriter();

/** Writes a call. @returns bytes that the next call overwrites */
export function encodeCall({ from, shards, number, life, seq, isAgain, items }: Call): Uint8Array<ArrayBuffer> {
  const writer = ownWriter;
  if (writer.capacityBytes > 2 * routerLimits.maxCallBytes) writer.clear();
  else writer.restart();
  writer.u8(version);
  writer.u8(isAgain ? 1 : 0);
  writer.u16(from);
  writer.u16(shards);
  writer.u64(number);
  writer.u64(life);
  writer.u32(seq);
  const strangers = new Strangers(writer);
  for (const item of items) writeItem(writer, strangers, item);
  return writer.view;
}

/** Reads a call. @throws ProtocolError for one of another version, or that no shard writes */
export function decodeCall(bytes: Uint8Array): Call {
  const reader = new ByteReader(bytes);
  const theirs = reader.u8();
  if (theirs !== version) throw new ProtocolError(`A call of version ${theirs}, where ${version} is known`);
  const isAgain = reader.u8() === 1;
  const [from, shards, number] = [reader.u16(), reader.u16(), reader.u64()];
  const [life, seq] = [reader.u64(), reader.u32()];
  const known: Stranger[] = [];
  const items: CrossingItem[] = [];
  while (reader.position < reader.end) items.push(readItem(reader, known));
  return { from, shards, number, life, seq, isAgain, items };
}

export function encodeAnswer(number: Answer): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.u8(version);
  writer.u64(number);
  return writer.take();
}

/** Reads an answer: 0 for one that can't be read. */
export function decodeAnswer(bytes: Uint8Array): Answer {
  try {
    const reader = new ByteReader(bytes);
    return reader.u8() === version ? reader.u64() : 0;
  } catch {
    return 0;
  }
}

/** Writes each link once into a call. */
class Strangers {
  readonly #writer: ByteWriter;
  readonly #known = new Map<number, number>();

  constructor(writer: ByteWriter) {
    this.#writer = writer;
  }

  /** The number that the link has in this call, and the link itself where it is its first. */
  write(who: Stranger): void {
    const known = this.#known.get(who.address);
    this.#writer.u16(known ?? this.#known.size);
    if (known !== undefined) return;
    this.#known.set(who.address, this.#known.size);
    const { address, session, name, instance, format, grant, token } = who;
    const writer = this.#writer;
    writer.u32(address);
    writer.id(session);
    for (const each of [name, instance, format.subprotocol]) writer.text(each);
    if (grant !== undefined) {
      writer.u8(narrowedBy.grant);
      for (const each of [grant.host, grant.peer, grant.protocol]) writer.text(each);
      writeTexts(writer, grant.serves);
      writer.u64(grant.expiresAtMs);
    } else if (token !== undefined) {
      writer.u8(narrowedBy.token);
      writer.text(token.key);
      writer.u64(token.expiresAtMs);
      const { open, serve } = token.rights;
      writeSomeTexts(
        writer,
        open?.flatMap(({ peer, protocol }) => [peer, protocol]),
      );
      writeSomeTexts(writer, serve);
    } else writer.u8(narrowedBy.nothing);
  }
}

/** What says what a link may do, besides the realm's rules. */
const narrowedBy = { nothing: 0, grant: 1, token: 2 };

/** The longest text in a call is a reason or a pattern: more than any of them may have. */
const maxTextBytes = 4_096;

function readStranger(reader: ByteReader, known: Stranger[]): Stranger {
  const at = reader.position;
  const number = reader.u16();
  const before = known[number];
  if (before !== undefined) return before;
  if (number !== known.length) throw new ProtocolError(`Link ${number} of a call that has ${known.length}`, at);
  const [address, session] = [reader.u32(), reader.id()];
  const [name, instance, subprotocol] = [text(reader), text(reader), text(reader)];
  const format = formatOf(subprotocol);
  if (format === undefined) throw new ProtocolError("A format that is not known", at);
  const narrowing = reader.u8();
  const grant = narrowing === narrowedBy.grant ? grantIn(reader) : undefined;
  const token = narrowing === narrowedBy.token ? tokenIn(reader) : undefined;
  const stranger = { address, session, name, instance, format, grant, token };
  known.push(stranger);
  return stranger;
}

function grantIn(reader: ByteReader): Grant {
  const [host, peer, protocol, serves] = [text(reader), text(reader), text(reader), textsIn(reader)];
  return { host, peer, protocol, serves, expiresAtMs: reader.u64() };
}

function tokenIn(reader: ByteReader): TokenGrant {
  const [key, expiresAtMs, opened, serve] = [text(reader), reader.u64(), someTextsIn(reader), someTextsIn(reader)];
  const open = opened && Array.from({ length: opened.length / 2 }, (_, at) => openableAt(opened, 2 * at));
  return { key, expiresAtMs, rights: { ...(open && { open }), ...(serve && { serve }) } };
}

function openableAt(texts: readonly string[], at: number): Openable {
  return { peer: texts[at] ?? "", protocol: texts[at + 1] ?? "" };
}

function writeItem(writer: ByteWriter, strangers: Strangers, item: CrossingItem): void {
  writer.u8(kinds.indexOf(item.kind));
  switch (item.kind) {
    case "segment":
      strangers.write(item.who);
      writer.u32(item.bytes.length);
      writer.append(item.bytes);
      break;
    case "open":
    case "resume":
    case "list":
      strangers.write(item.who);
      writeFrame(writer, item.frame);
      break;
    case "say":
      writer.u32(item.to);
      writeFrame(writer, item.frame);
      writer.u8(item.who === undefined ? 0 : item.who.callsByLabel ? 2 : 1);
      if (item.who !== undefined) strangers.write(item.who.link);
      break;
    case "gone":
      writer.u32(item.address);
      writer.u8(item.reason);
      writer.u16(item.to.length);
      for (const address of item.to) writer.u32(address);
      break;
    case "fault":
      writer.u32(item.to);
      writer.text(item.problem);
      break;
    case "subscribe":
      writeTexts(writer, item.patterns);
      break;
    case "roster":
      strangers.write(item.who);
      writer.u32(item.frame.request);
      writer.text(item.frame.pattern);
      writer.u32(item.frame.after);
      writer.u16(item.frame.limit);
      break;
    case "sessions":
      for (const number of [item.to, item.request, item.next]) writer.u32(number);
      writer.u16(item.sessions.length);
      for (const session of item.sessions) writeSession(writer, strangers, session);
      break;
    case "presence":
      writer.u8(presenceChanges.indexOf(item.change));
      writeSession(writer, strangers, item.session);
  }
}

function readItem(reader: ByteReader, known: Stranger[]): CrossingItem {
  const at = reader.position;
  const kind = kinds[reader.u8()];
  switch (kind) {
    case "segment": {
      const who = readStranger(reader, known);
      return { kind, who, bytes: segmentIn(reader) };
    }
    case "open":
      return { kind, who: readStranger(reader, known), frame: frameIn(reader, kind) };
    case "resume":
      return { kind, who: readStranger(reader, known), frame: frameIn(reader, kind) };
    case "list":
      return { kind, who: readStranger(reader, known), frame: frameIn(reader, kind) };
    case "say": {
      const to = reader.u32();
      const frame = frameIn(reader);
      const pairing = reader.u8();
      const who = pairing === 0 ? undefined : { link: readStranger(reader, known), callsByLabel: pairing === 2 };
      return { kind, to, frame, who };
    }
    case "gone": {
      const [address, reason, count] = [reader.u32(), reader.u8(), reader.u16()];
      return { kind, address, reason, to: Array.from({ length: count }, () => reader.u32()) };
    }
    case "fault":
      return { kind, to: reader.u32(), problem: text(reader) };
    case "subscribe":
      return { kind, patterns: textsIn(reader) };
    case "roster": {
      const who = readStranger(reader, known);
      return {
        kind,
        who,
        frame: { request: reader.u32(), pattern: text(reader), after: reader.u32(), limit: reader.u16() },
      };
    }
    case "sessions": {
      const [to, request, next, count] = [reader.u32(), reader.u32(), reader.u32(), reader.u16()];
      return { kind, to, request, next, sessions: Array.from({ length: count }, () => sessionIn(reader, known)) };
    }
    case "presence": {
      const change = presenceChanges[reader.u8()];
      if (change === undefined) throw new ProtocolError("A change that is not known", at);
      return { kind, change, session: sessionIn(reader, known) };
    }
    default:
      throw new ProtocolError("An item of a kind that is not known", at);
  }
}

function writeSession(writer: ByteWriter, strangers: Strangers, { who, sinceMs, services }: StrangerThere): void {
  strangers.write(who);
  writer.u64(sinceMs);
  writeTexts(writer, services);
}

function sessionIn(reader: ByteReader, known: Stranger[]): StrangerThere {
  return { who: readStranger(reader, known), sinceMs: reader.u64(), services: textsIn(reader) };
}

function writeTexts(writer: ByteWriter, texts: readonly string[]): void {
  writer.u16(texts.length);
  for (const each of texts) writer.text(each);
}

/** A list that may be absent. */
function writeSomeTexts(writer: ByteWriter, texts: readonly string[] | undefined): void {
  writer.u8(texts === undefined ? 0 : 1);
  if (texts !== undefined) writeTexts(writer, texts);
}

function someTextsIn(reader: ByteReader): string[] | undefined {
  return reader.u8() === 0 ? undefined : textsIn(reader);
}

function textsIn(reader: ByteReader): string[] {
  return Array.from({ length: reader.u16() }, () => text(reader));
}

/** A whole segment, with its header. */
function segmentIn(reader: ByteReader): Uint8Array {
  const at = reader.position;
  const bytes = reader.slice(reader.u32());
  const segment = new ByteReader(bytes);
  segment.take(4);
  if (segment.u32() !== segment.end - segment.position) throw new ProtocolError("A segment of another length", at);
  return bytes;
}

type FrameOfKind<Kind extends string> = Extract<ReturnType<RouterFrameReader["next"]>, { kind: Kind }>;

function writeFrame(writer: ByteWriter, frame: Parameters<typeof encodeFrame>[0]): void {
  const bytes = encodeFrame(frame);
  writer.u32(bytes.length);
  writer.append(bytes);
}

/** One frame of the router. @param kind the only one that may stand here */
function frameIn<Kind extends string = string>(reader: ByteReader, kind?: Kind): FrameOfKind<Kind> {
  const at = reader.position;
  const bytes = reader.slice(reader.u32());
  const frames = new RouterFrameReader(bytes);
  const frame = frames.next();
  if (frame === undefined || frames.position !== bytes.length || (kind !== undefined && frame.kind !== kind))
    throw new ProtocolError("Another frame than belongs here", at);
  return frame as FrameOfKind<Kind>;
}

function text(reader: ByteReader): string {
  return reader.text(maxTextBytes);
}
