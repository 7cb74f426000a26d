import { randomBytes } from "node:crypto";
import { limits } from "@messagepasser/protocol";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { buildProgram } from "../interop/original/build.ts";
import { newSide } from "../interop/original/new-side.ts";
import { OldSide, type OldSideOptions } from "../interop/original/old-side.ts";
import type { End, Side } from "../interop/original/side.ts";
import { type Realm, startRealm } from "./realm.ts";

// The original's own package of 2015, unchanged, in both of its formats: with itself and with the client of today.

const built = buildProgram();
if (typeof built === "string") console.warn(built);

type Kind = "old gob" | "old json" | "new";
const kinds: readonly Kind[] = ["old gob", "old json", "new"];
const pairs = kinds
  .flatMap((from) => kinds.map((to) => [from, to] as const))
  .filter((pair) => pair.join() !== "new,new");
const formats = ["gob", "json"] as const;

/** How an end is told about a close by the other one, and about the other's client leaving. */
const closed = (kind: Kind): string => (kind === "new" ? "closed" : "EOF");
const gone = (kind: Kind): string => (kind === "new" ? "peer-gone" : "EOF");

let realm: Realm;
let count = 0;

beforeAll(async () => {
  if (typeof built !== "string") realm = await startRealm();
});

afterAll(async () => {
  if (typeof built === "string") return;
  await realm[Symbol.asyncDispose]();
  built[Symbol.dispose]();
});

/** A client of the original that ends with its test. */
async function startOld(options: Partial<OldSideOptions> & Pick<OldSideOptions, "name" | "format">): Promise<OldSide> {
  if (typeof built === "string") throw new Error(built);
  const url = new URL("/connect/default", realm.router.url);
  const side = await OldSide.start(built, { url, secret: await realm.secretOf(options.name), ...options });
  onTestFinished(() => side[Symbol.asyncDispose]());
  return side;
}

async function start(kind: Kind, name: string): Promise<Side> {
  if (kind !== "new") return await startOld({ name, format: kind === "old gob" ? "gob" : "json" });
  const client = await realm.connect(name);
  onTestFinished(() => client.close({ deadlineMs: 0 }));
  return newSide(client);
}

/** Two clients of their own for a test: a message that nobody reads holds up all that an old one does. */
async function startBoth(from: Kind, to: Kind): Promise<{ opener: Side; acceptor: Side; name: string }> {
  const name = `acceptor ${++count}`;
  const [opener, acceptor] = await Promise.all([start(from, `opener ${count}`), start(to, name)]);
  return { opener, acceptor, name };
}

async function startTalk(from: Kind, to: Kind): Promise<{ here: End; there: End; opener: Side; acceptor: Side }> {
  const { opener, acceptor, name } = await startBoth(from, to);
  const [here, there] = await Promise.all([opener.open(name, "talk"), acceptor.accept()]);
  return { here, there, opener, acceptor };
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

/** Compared as one, which takes a moment where thousands of small ones take long. */
function expectSame(messages: readonly Uint8Array[], expected: readonly Uint8Array[]): void {
  expect(messages.map(({ length }) => length).join()).toBe(expected.map(({ length }) => length).join());
  expect(Buffer.compare(Buffer.concat(messages), Buffer.concat(expected))).toBe(0);
}

/** So many bytes, in however many messages. */
async function receiveBytes(end: End, byteCount: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let left = byteCount; left > 0;) {
    const { messages, over } = await end.receive(1);
    expect(over).toBeUndefined();
    parts.push(...messages);
    left -= messages[0]?.length ?? 0;
  }
  return new Uint8Array(Buffer.concat(parts));
}

async function expectEcho(end: End): Promise<void> {
  const messages = ["Grüße, 世界 \u{1f600}", "", "\0", "last"].map(bytesOf);
  await end.send(...messages);
  const { messages: echoed } = await end.receive(messages.length);
  expect(echoed).toEqual(messages);
}

describe.skipIf(typeof built === "string").each(pairs)("%s to %s", (from, to) => {
  test(`messages come back to ${from} from an echo by ${to}, small ones one by one`, async () => {
    const { opener, name } = await startBoth(from, to);
    const end = await opener.open(name, "echo");
    await expectEcho(end);
    const large = new Uint8Array(randomBytes(102_400));
    await end.send(large);
    expect(Buffer.compare(await receiveBytes(end, large.length), large)).toBe(0);
    await expectEcho(end);
    await end.close();
  });

  test(`10,000 messages from ${from} to ${to} arrive in order`, async () => {
    const { here, there } = await startTalk(from, to);
    const messages = Array.from({ length: 10_000 }, (_, at) => bytesOf(`message ${at}`));
    const [received] = await Promise.all([there.receive(messages.length), here.send(...messages)]);
    expect(received.over).toBeUndefined();
    expectSame(received.messages, messages);
    await here.close();
    expect(await there.receive(1)).toEqual({ messages: [], over: closed(to) });
  });

  test.each(["opener", "acceptor"] as const)(
    `from ${from} to ${to}, a close by the %s is seen after everything that was sent`,
    async (closer) => {
      const { here, there } = await startTalk(from, to);
      const [closing, hearing, hears] = closer === "opener" ? [here, there, to] : [there, here, from];
      const messages = ["one", "two", "three"].map(bytesOf);
      await closing.send(...messages);
      await Promise.all([
        closing.close(),
        hearing.receive(messages.length + 1).then((received) => {
          expect(received).toEqual({ messages, over: closed(hears) });
        }),
      ]);
      await hearing.close();
    },
  );

  test(`a close while messages go from ${from} to ${to} leaves both in a good state`, async () => {
    const { here, there, opener, acceptor } = await startTalk(from, to);
    const sending = here.send(...Array.from({ length: 2_000 }, () => new Uint8Array(1_000)));
    // The open may fail before the test awaits it.
    sending.catch(() => undefined);
    expect((await there.receive(10)).messages).toHaveLength(10);
    await there.close();
    // The original's end can't tell from a write.
    if (from === "new") await expect(sending).rejects.toMatchObject({ code: "closed" });
    else await sending;
    expect(await here.receive(1)).toEqual({ messages: [], over: closed(from) });
    const [again, taken] = await Promise.all([opener.open(`acceptor ${count}`, "talk"), acceptor.accept()]);
    await again.send(bytesOf("again"));
    expect((await taken.receive(1)).messages).toEqual([bytesOf("again")]);
  });

  test(`from ${from} to ${to}, an unknown protocol and an absent client are reported`, async () => {
    const { opener, name } = await startBoth(from, to);
    await expect(opener.open(name, "other")).rejects.toThrow(
      from === "new" ? /^unknown-protocol$/ : /^unknown protocol$/,
    );
    await expect(opener.open("nobody", "echo")).rejects.toThrow(from === "new" ? /^peer-absent$/ : /^EOF$/);
    await expectEcho(await opener.open(name, "echo"));
  });

  test.each(["opener", "acceptor"] as const)(
    `from ${from} to ${to}, the client of the %s goes and comes again`,
    async (who) => {
      const { here, there, opener, acceptor } = await startTalk(from, to);
      const [openerName, acceptorName] = [`opener ${count}`, `acceptor ${count}`];
      const [leaving, hearing, hears] = who === "opener" ? [opener, there, to] : [acceptor, here, from];
      const ending = hearing.receive(1);
      await leaving[Symbol.asyncDispose]();
      expect(await ending).toEqual({ messages: [], over: gone(hears) });

      if (who === "opener") await expectEcho(await (await start(from, openerName)).open(acceptorName, "echo"));
      else {
        await start(to, acceptorName);
        await expectEcho(await opener.open(acceptorName, "echo"));
      }
    },
  );
});

describe.skipIf(typeof built === "string").each(formats)("old %s", (format) => {
  const kind = `old ${format}` as const;

  test(`an ${kind} client that crashes is gone for all its peers`, async () => {
    const crashing = await startOld({ name: `crashing ${++count}`, format });
    const endings: Promise<void>[] = [];
    for (const other of kinds) {
      const side = await start(other, `${other} ${count}`);
      const [end] = await Promise.all([side.open(`crashing ${count}`, "talk"), crashing.accept()]);
      const ending = end.receive(1).then((received) => {
        expect(received).toEqual({ messages: [], over: gone(other) });
      });
      endings.push(ending);
    }
    await crashing.kill();
    await Promise.all(endings);
  });

  test(`an ${kind} client is not let in under another name than the upgrade's, and is told why`, async () => {
    const starting = startOld({ name: "alice", format, claim: "bob" });
    await expect(starting).rejects.toThrow(/^The name is not the one that the WebSocket was opened with$/);
  });

  test(`an ${kind} client is not let in with a wrong secret`, async () => {
    const starting = startOld({ name: "alice", format, secret: "wrong" });
    await expect(starting).rejects.toThrow("expected handshake response status code 101 but got 401");
  });

  test(`an ${kind} client that reads slowly gets all of 10 MB, and a new client sends only as much as there is room for`, async () => {
    const { here, there } = await startTalk("new", kind);
    const messages = Array.from({ length: 10_000 }, (_, at) => bytesOf(`message ${at} `.padEnd(1_000, ".")));
    let sent = 0;
    const sending = (async () => {
      for (const message of messages) {
        await here.send(message);
        sent++;
      }
    })();
    // A window, and what the clients have read but not told; far from all.
    const mostAhead = (2 * limits.firstWindowBytes) / 1_000;
    const received: Uint8Array[] = [];
    while (received.length < messages.length) {
      received.push(...(await there.receive(100)).messages);
      expect(sent - received.length).toBeLessThan(mostAhead);
    }
    await sending;
    expectSame(received, messages);
  });

  test(`an ${kind} client that sends on to a new client that doesn't read is told about the end, and goes on with others`, async () => {
    const { here, opener } = await startTalk(kind, "new");
    const ending = here.receive(1);
    // More than a new client holds for one peer that pays no regard to credit: half of maxUncountedBytes.
    for (let bytes = 0; bytes < 10_000_000; bytes += 100_000) await here.send(new Uint8Array(100_000));
    expect(await ending).toEqual({ messages: [], over: "EOF" });
    await expectEcho(await opener.open(`acceptor ${count}`, "echo"));
  });

  test(`an ${kind} client that doesn't read is given up, alone`, async () => {
    const { opener, name } = await startBoth(kind, kind);
    const deaf = await startOld({ name: `deaf ${count}`, format });
    const [here, there] = await Promise.all([opener.open(`deaf ${count}`, "talk"), deaf.accept()]);
    const ending = here.receive(1);
    // More than the router holds for one link: a third of maxUnreadBytes; and than networks hold on the way.
    for (let bytes = 0; bytes < 40_000_000; bytes += 100_000) await here.send(new Uint8Array(100_000));
    expect(await ending).toEqual({ messages: [], over: "EOF" });
    // Only once it reads what is left does it see why. That read never ends, as the original is.
    there.receive(1_000).catch(() => undefined);
    expect(await deaf.over).toMatch("This link is read too slowly");
    await expectEcho(await opener.open(name, "echo"));
  });

  test(`an ${kind} client goes on after the router's memory was freed`, async () => {
    const { opener, name } = await startBoth("new", kind);
    const end = await opener.open(name, "echo");
    for (let time = 0; time < 3; time++) {
      await expectEcho(end);
      await realm.router.evict("hibernate");
    }
    await expectEcho(end);
  });

  test(`an ${kind} client isn't told about a half-close until the other half is over`, async () => {
    const [name, other] = [`old ${++count}`, await realm.connect(`new ${count}`)];
    onTestFinished(() => other.close({ deadlineMs: 0 }));
    const side = await start(kind, name);
    const connection = await other.open(name, "talk");
    const end = await side.accept();
    await connection.send("request");
    await connection.end();
    expect((await end.receive(1)).messages).toEqual([bytesOf("request")]);
    const ending = end.receive(1);
    await end.send(bytesOf("answer"));
    expect(await connection.receive()).toEqual(bytesOf("answer"));
    await connection.close();
    expect(await ending).toEqual({ messages: [], over: "EOF" });
  });
});
