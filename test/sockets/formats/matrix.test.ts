import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Realm, startRealm } from "../realm.ts";
import type { Message, Talk, Talker } from "./talk.ts";
import { type FormatName, formatNames as names, talkers } from "./talkers.ts";

// Every format with every other one, both ways, on one router.

/** The cases that the original's wire can't express. Each asserts what its clients see instead. */
const isOriginal = (format: FormatName): boolean => format.startsWith("mp.v0");
const saysText = (from: FormatName, to: FormatName): boolean => !isOriginal(from) && !isOriginal(to);
const joinsPieces = (from: FormatName, to: FormatName): boolean => !isOriginal(to) || isOriginal(from);
const saysAborts = (from: FormatName, to: FormatName): boolean => !isOriginal(from) && !isOriginal(to);

let realm: Realm;
const openers = new Map<FormatName, Talker>();
const acceptors = new Map<FormatName, Talker>();

beforeAll(async () => {
  realm = await startRealm();
  for (const format of names) {
    openers.set(format, await talkers[format](realm, `opener of ${format}`));
    acceptors.set(format, await talkers[format](realm, `acceptor of ${format}`));
  }
});

afterAll(async () => {
  for (const talker of [...openers.values(), ...acceptors.values()]) await talker[Symbol.asyncDispose]();
  await realm[Symbol.asyncDispose]();
});

let count = 0;

async function connected(from: FormatName, to: FormatName): Promise<{ here: Talk; there: Talk }> {
  const [opener, acceptor] = [talkerOf(openers, from), talkerOf(acceptors, to)];
  const protocol = `test ${++count}`;
  const accepting = acceptor.accept(protocol);
  const here = await opener.open(acceptor.name, protocol);
  return { here, there: await accepting };
}

function talkerOf(talkers: ReadonlyMap<FormatName, Talker>, format: FormatName): Talker {
  const talker = talkers.get(format);
  if (talker === undefined) throw new Error(`Nobody speaks ${format}`);
  return talker;
}

/** A text as the other end gets it: as bytes where its wire or the sender's knows no texts. */
function asHeard(message: Message, from: FormatName, to: FormatName): Message {
  return typeof message === "string" && !saysText(from, to) ? new Uint8Array(Buffer.from(message)) : message;
}

async function receiveBytes(talk: Talk, byteCount: number): Promise<{ bytes: Uint8Array; messages: number }> {
  const parts: Uint8Array[] = [];
  for (let [left, messages] = [byteCount, 1]; ; messages++) {
    const part = await talk.receive();
    if (!(part instanceof Uint8Array)) throw new Error("No bytes came");
    parts.push(part);
    left -= part.length;
    if (left <= 0) return { bytes: new Uint8Array(Buffer.concat(parts)), messages };
  }
}

const pairs = names.flatMap((from) => names.map((to) => [from, to] as const));

describe.each(pairs)("%s to %s", (from, to) => {
  test(`${from} to ${to} carries text, an empty message and one byte, both ways`, async () => {
    const { here, there } = await connected(from, to);
    const messages: Message[] = ["Grüße, 世界 \u{1f600}", new Uint8Array(), new Uint8Array([0]), new Uint8Array([255])];
    if (saysText(from, to)) messages.push("");
    for (const message of messages) {
      await here.send(message);
      expect(await there.receive()).toEqual(asHeard(message, from, to));
      await there.send(message);
      expect(await here.receive()).toEqual(asHeard(message, to, from));
    }
    await here.close();
  });

  test(`${from} to ${to} carries 1 MiB of bytes, both ways`, async () => {
    const { here, there } = await connected(from, to);
    const sent = new Uint8Array(randomBytes(1_048_576));
    for (const [source, target, hears] of [
      [here, there, joinsPieces(from, to)],
      [there, here, joinsPieces(to, from)],
    ] as const) {
      const sending = source.send(sent);
      const { bytes, messages } = await receiveBytes(target, sent.length);
      expect(Buffer.compare(bytes, sent)).toBe(0);
      if (hears) expect(messages).toBe(1);
      else expect(messages).toBeGreaterThan(1);
      await sending;
    }
    await here.close();
  });

  test(`${from} to ${to} carries 10,000 small messages in order`, async () => {
    const { here, there } = await connected(from, to);
    const messageCount = 10_000;
    const sending = (async () => {
      for (let at = 0; at < messageCount; at++) await here.send(new Uint8Array(Buffer.from(`message ${at}`)));
    })();
    for (let at = 0; at < messageCount; at++) {
      const message = await there.receive();
      if (Buffer.from(message as Uint8Array).toString() !== `message ${at}`) expect.fail(`message ${at} is missing`);
    }
    await sending;
    await here.close();
  });

  test(`${from} to ${to} reports an unknown protocol and an absent peer`, async () => {
    const opener = talkerOf(openers, from);
    const acceptor = talkerOf(acceptors, to);
    await expect(opener.open(acceptor.name, "unknown")).rejects.toThrow("unknown-protocol");
    await expect(opener.open("nobody", "unknown")).rejects.toThrow("peer-absent");
  });

  test(`${from} to ${to} reports a close by either side, after everything that was sent`, async () => {
    for (const closer of ["opener", "acceptor"] as const) {
      const { here, there } = await connected(from, to);
      const [closing, hearing] = closer === "opener" ? [here, there] : [there, here];
      await closing.send(new Uint8Array([1, 2, 3]));
      await closing.close();
      expect(await hearing.receive()).toEqual(new Uint8Array([1, 2, 3]));
      expect(await hearing.receive()).toBeUndefined();
      await hearing.close();
      expect(await hearing.ended).toBe("closed");
      expect(await closing.ended).toBe("closed");
    }
  });

  test(`${from} to ${to} reports an abort by either side`, async () => {
    for (const aborter of ["opener", "acceptor"] as const) {
      const { here, there } = await connected(from, to);
      const [aborting, hearing] = aborter === "opener" ? [here, there] : [there, here];
      await aborting.abort();
      expect(await hearing.receive()).toBeUndefined();
      const says = aborter === "opener" ? saysAborts(from, to) : saysAborts(to, from);
      if (!says) await hearing.close();
      expect(await hearing.ended).toBe(says ? "failed" : "closed");
    }
  });
});
