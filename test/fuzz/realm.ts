import { isDeepStrictEqual } from "node:util";
import { goneReasons, originalLimits, ProtocolError } from "@messagepasser/protocol";
import { type Format, json, native, type WireMessage } from "@messagepasser/protocol/formats";
import { closings, malformed } from "../../src/routing/closings.ts";
import { closingMessages } from "../../src/routing/encoding.ts";
import { Routing } from "../../src/routing/routing.ts";
import { batchOf } from "../../src/routing/encoding.ts";
import { alone, FakeLink, FakeLinks, FakeRuntime } from "../support/routing-fakes.ts";
import { heardBy } from "./heard.ts";
import { peers, self, selfAddress } from "./names.ts";

/**
 * What may come of a byte, at most. The worst is the smallest frame, 3 bytes in MessagePack, that a client of the original
 * gets as a line of 71, with these short names; text can become 6 times as much in JSON.
 */
const maxAmplification = 32;
/** A list of names and a few refusals, whatever the input. */
const maxSpareBytes = 4_096;

/** A realm with a client of every format, all of them paired with the one that sends, and two who have nothing to do with it. */
class FuzzedRealm {
  readonly runtime = new FakeRuntime();
  readonly links = new FakeLinks();
  readonly routing = new Routing(this.links, "home", this.runtime, alone);
  readonly alice: FakeLink;
  readonly peers: readonly FakeLink[];
  readonly zoe = this.#join(100, "zoe", native);
  readonly yuri = this.#join(101, "yuri", json);

  constructor(format: Format) {
    this.alice = this.#join(selfAddress, self, format);
    this.peers = peers.map(({ address, name, format }) => this.#join(address, name, format));
    for (const peer of this.peers) pair(this.alice, peer);
    pair(this.zoe, this.yuri);
  }

  #join(address: number, name: string, format: Format): FakeLink {
    const resumes = format.addressing === "address";
    const link = new FakeLink(address, name, { format, resumes, lastHeardMs: this.runtime.nowMs });
    this.links.add(link);
    return link;
  }

  /** Does with a message what the realm's object does. Returns whether the link goes on. */
  receive(from: FakeLink, message: WireMessage): boolean {
    try {
      if (this.routing.receive(from, message)) return from.closed === undefined;
      this.routing.drop(from, goneReasons.ended, closings.bye);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.routing.drop(from, goneReasons.lost, malformed(error.message));
    }
    const { code = 0, reason = "" } = from.closed ?? {};
    closingMessages(from.format, { code, reason, delayMs: 0 });
    return false;
  }
}

function pair(one: FakeLink, other: FakeLink): void {
  one.pairs.add(other.address);
  other.pairs.add(one.address);
}

/**
 * Gives a client's messages to a router.
 *
 * @returns whether all were accepted.
 * @throws Error for whatever should not have come of them.
 */
export function route(format: Format, messages: readonly WireMessage[]): boolean {
  const realm = new FuzzedRealm(format);
  const { alice } = realm;
  let isOpen = true;
  for (const message of messages) {
    if (!isOpen) break;
    isOpen = realm.receive(alice, message);
  }
  const heard = [alice, ...realm.peers].map((link) => ({ link, messages: link.messages.splice(0) }));
  checkAmplification(
    messages,
    heard.flatMap(({ messages }) => messages),
  );
  for (const { link, messages } of heard) {
    const unread = new Set(link.format === format ? [selfAddress] : []);
    const mayAnswer = heardBy(link.format, messages, unread);
    if (link === alice) continue;
    if (link.closed !== undefined)
      throw new Error(`"${link.name}", who only listened, was closed: ${link.closed.reason}`);
    for (const { peer, connection, token } of mayAnswer) answer(realm, link, peer, connection, token);
  }
  heardBy(format, alice.messages.splice(0), new Set([selfAddress]));
  if (alice.formatMemory.length > originalLimits.maxGobDefinitionBytes)
    throw new Error(`${alice.formatMemory.length} bytes are remembered for the link`);
  checkBystanders(realm);
  const [abort] = realm.runtime.aborts;
  if (abort !== undefined) throw new Error(`The router ended itself: ${abort}`);
  return isOpen;
}

function checkAmplification(input: readonly WireMessage[], output: readonly WireMessage[]): void {
  // $source sends more than it gets by design: 1 MiB an open.
  if (input.some((message) => textOf(message).includes("$source"))) return;
  const [inBytes, outBytes] = [input, output].map((all) => all.reduce((sum, message) => sum + byteLength(message), 0));
  if (inBytes === undefined || outBytes === undefined) return;
  if (outBytes > maxAmplification * inBytes + maxSpareBytes) throw new Error(`${outBytes} bytes came of ${inBytes}`);
}

function byteLength(message: WireMessage): number {
  return typeof message === "string" ? Buffer.byteLength(message) : message.length;
}

function textOf(message: WireMessage): string {
  return typeof message === "string"
    ? message
    : Buffer.from(message.buffer, message.byteOffset, message.length).toString("latin1");
}

/** A client may say that it doesn't know a Connection of which it hears, and has to send a mark back: neither may end it. */
function answer(realm: FuzzedRealm, link: FakeLink, peer: string, connection?: string, token?: string): void {
  const said = (json: object, Meta: number, ConnectionID: string): WireMessage => {
    if (link.format.subprotocol === "mp.v1.json") return JSON.stringify(json);
    return JSON.stringify({ Meta, OtherClient: peer, ConnectionID });
  };
  // Gob's client says the same as the one of the JSON; it has only to be written otherwise, which costs more time.
  if (link.format.subprotocol === "mp.v0.gob") return;
  const messages = [
    ...(connection === undefined || peer === "" ? [] : [said({ type: "done", peer, connection }, 2, connection)]),
    ...(token === undefined ? [] : [said({ type: "reached", token }, 2, `$mark:${token}`)]),
  ];
  for (const message of messages) {
    if (!realm.receive(link, message))
      throw new Error(`"${link.name}" was closed for its answer: ${link.closed?.reason}`);
  }
}

/** Two clients that the sender has nothing to do with heard nothing, and go on talking. */
function checkBystanders({ routing, zoe, yuri }: FuzzedRealm): void {
  for (const link of [zoe, yuri]) {
    if (link.closed !== undefined || link.messages.length > 0)
      throw new Error(`"${link.name}" heard of what it has nothing to do with`);
  }
  const data = {
    kind: "data",
    connection: 1,
    last: true,
    text: true,
    offset: 0,
    payload: Uint8Array.of(0x61),
  } as const;
  routing.receive(zoe, batchOf(native, yuri.address, [data]));
  const expected = JSON.stringify({ type: "data", peer: "zoe", connection: "yuri:1", text: "a" });
  if (!isDeepStrictEqual(yuri.messages.splice(0), [expected])) throw new Error("A bystander no longer hears its peer");
  routing.receive(yuri, JSON.stringify({ type: "data", peer: "zoe", connection: "zoe:1", text: "a", offset: 0 }));
  // Her own data was acknowledged before.
  if (!isDeepStrictEqual(zoe.messages.splice(0).at(-1), batchOf(native, yuri.address, [data])))
    throw new Error("A bystander is no longer heard by its peer");
}
