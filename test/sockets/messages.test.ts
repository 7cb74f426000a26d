import { setImmediate as nextTurn } from "node:timers/promises";
import { createHash, randomBytes } from "node:crypto";
import { type Client, type Connection, ConnectionError } from "messagepasser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failureOf, type Realm, startRealm } from "./realm.ts";

let realm: Realm;
let alice: Client;
let bob: Client;

beforeAll(async () => {
  realm = await startRealm();
  [alice, bob] = await Promise.all([realm.connect("alice"), realm.connect("bob")]);
  bob.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
    await connection.close();
  });
});

afterAll(async () => {
  await Promise.all([alice.close(), bob.close()]);
  await realm[Symbol.asyncDispose]();
});

/** A Connection from alice to bob, and bob's end of it. */
async function pair(protocol: string, client = alice): Promise<[Connection, Connection]> {
  const there = Promise.withResolvers<Connection>();
  bob.handle(protocol, (connection) => {
    there.resolve(connection);
  });
  return await Promise.all([client.open("bob", protocol), there.promise]);
}

describe("messages", () => {
  test.each([
    ["text", "héllo ✓ 𝄞"],
    ["empty text", ""],
    ["bytes", new Uint8Array([0, 1, 254, 255])],
    ["empty bytes", new Uint8Array()],
    ["one byte", new Uint8Array([7])],
    ["a full frame", new Uint8Array(randomBytes(65_536))],
    ["one byte more than a frame", new Uint8Array(randomBytes(65_537))],
    ["text of many frames, of characters of every length", "aé✓𝄞".repeat(100_000)],
    ["bytes of five windows", new Uint8Array(randomBytes(5 * 1024 * 1024))],
  ])("messages arrive as they were sent: %s", async (_, message) => {
    await using connection = await alice.open("bob", "echo");
    const sent = connection.send(message);
    const received = await connection.receive();
    await sent;
    if (typeof message === "string") expect(received === message).toBe(true);
    else expect(digest(received)).toBe(digest(message));
  });

  test("10,000 messages in both directions keep their order and their boundaries", async () => {
    await using connection = await alice.open("bob", "echo");
    const sending = (async () => {
      for (let number = 0; number < 10_000; number++) await connection.send(`${number} ${"x".repeat(number % 50)}`);
      await connection.end();
    })();
    let number = 0;
    for await (const message of connection) expect(message).toBe(`${number} ${"x".repeat(number++ % 50)}`);
    await sending;
    expect(number).toBe(10_000);
  });

  test("a message may travel with the open, even if it is larger than a frame", async () => {
    await using connection = await alice.open("bob", "echo", { first: "x".repeat(200_000) });
    expect(await connection.receive()).toBe("x".repeat(200_000));
  });

  test("a message's memory is the caller's again once a call has settled, whatever is still to be sent", async () => {
    const ones = (): Uint8Array => new Uint8Array(3_000_000).fill(1);
    const isOnes = (message: unknown): boolean => message instanceof Uint8Array && message.every((byte) => byte === 1);
    const first = ones();
    const opened = Promise.withResolvers<Connection>();
    bob.handle("later", (connection) => {
      opened.resolve(connection);
    });
    const here = await alice.open("bob", "later", { first });
    first.fill(2);
    const there = await opened.promise;
    expect(isOnes(await there.receive())).toBe(true);
    // Once this has come, so has the credit for all of the first: what is sent next begins at once.
    await there.send("taken");
    expect(await here.receive()).toBe("taken");

    const controller = new AbortController();
    const second = ones();
    const sending = failureOf(here.send(second, { signal: controller.signal }));
    // Its first part is on its way, and the rest waits for the window.
    await nextTurn();
    controller.abort();
    await sending;
    second.fill(2);
    expect(isOnes(await there.receive())).toBe(true);
    await here.close();
  });

  test("messages are strings and Uint8Arrays, and nothing else", async () => {
    await using connection = await alice.open("bob", "echo");
    for (const wrong of [new ArrayBuffer(3), [1, 2], 7, null, undefined]) {
      // Callers without types may pass this.
      expect(await failureOf(connection.send(wrong as never))).toBeInstanceOf(TypeError);
    }
    await connection.send(new Uint8Array([1, 2, 3, 4]).subarray(1, 3));
    expect(await connection.receive()).toEqual(new Uint8Array([2, 3]));
  });

  test("a message whose buffer is transferred while it waits to be sent fails alone", async () => {
    const [lost, bystander] = [await pair("transferred"), await pair("bystander")];
    const bytes = new Uint8Array(3 * 1024 * 1024);
    const sending = lost[0].send(bytes);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    const other = bystander[0].send(new Uint8Array(1024 * 1024));
    await expect(sending).rejects.toThrow(TypeError);
    expect(((await bystander[1].receive()) as Uint8Array).length).toBe(1024 * 1024);
    await other;
    await Promise.all(bystander.map((connection) => connection.close()));
    // None of it had left, so its Connection continues.
    await lost[0].send("next");
    expect(await lost[1].receive()).toBe("next");
    await Promise.all(lost.map((connection) => connection.close()));
  });

  test("a message's memory belongs to its sender once the call has resolved", async () => {
    await using connection = await alice.open("bob", "echo");
    const bytes = new Uint8Array([1, 2, 3]);
    await connection.send(bytes);
    bytes.fill(9);
    expect(await connection.receive()).toEqual(new Uint8Array([1, 2, 3]));
  });
});

describe("an open", () => {
  test("an open tells the other end the opener, the protocol and the metadata", async () => {
    const there = Promise.withResolvers<Connection>();
    bob.handle("who", (connection) => {
      there.resolve(connection);
    });
    const metadata = { "content-type": "text/plain", __proto__x: "", ключ: "значение" };
    await using here = await alice.open("bob", "who", { metadata });
    const connection = await there.promise;
    expect(connection.peer).toBe("alice");
    expect(connection.protocol).toBe("who");
    expect(connection.metadata).toEqual(metadata);
    expect(here.peer).toBe("bob");
  });

  test("an open reaches the client itself too", async () => {
    bob.handle("self", async (connection) => {
      await connection.send(connection.peer);
    });
    await using connection = await bob.open("bob", "self");
    expect(await connection.receive()).toBe("bob");
  });

  test("opens work in both directions at once with the same ids", async () => {
    alice.handle("echo", async (connection) => {
      for await (const message of connection) await connection.send(`alice ${String(message)}`);
    });
    await using there = await alice.open("bob", "echo");
    await using here = await bob.open("alice", "echo");
    await Promise.all([there.send("a"), here.send("b")]);
    expect(await Promise.all([there.receive(), here.receive()])).toEqual(["a", "alice b"]);
  });
});

describe("the window", () => {
  test("a full window stalls the sender of an unread Connection and no other", async () => {
    const [unread, there] = await pair("unread");
    let sent = 0;
    const stalled = (async () => {
      for (; sent < 1_000; sent++) await unread.send(new Uint8Array(10_000));
    })();
    await using other = await alice.open("bob", "echo");
    for (let trip = 0; trip < 100; trip++) {
      await other.send("ping");
      await other.receive();
    }
    expect(sent).toBeLessThan(1_000);
    const before = sent;
    for (let taken = 0; taken < 1_000; taken++) expect(await there.receive()).toHaveLength(10_000);
    await stalled;
    expect(before * 10_000).toBeLessThan(1_100_000);
  });

  test("the window counts empty messages too", async () => {
    const [sender, receiver] = await pair("empty");
    let sent = 0;
    const stalled = (async () => {
      for (; sent < 100_000; sent++) await sender.send("");
    })();
    await using other = await alice.open("bob", "echo", { first: "x" });
    await other.receive();
    expect(sent).toBeLessThan(100_000);
    for (let taken = 0; taken < 100_000; taken++) await receiver.receive();
    await stalled;
  });

  test("the window doesn't limit a message that a receiver waits for", async () => {
    const [sender, receiver] = await pair("large");
    const bytes = new Uint8Array(randomBytes(3_000_000));
    const sent = sender.send(bytes);
    expect(digest(await receiver.receive())).toBe(digest(bytes));
    await sent;
  });
});

describe("a message larger than the receiver takes", () => {
  test("a message larger than the receiver takes ends the Connection, with the code for it at both ends", async () => {
    const carol = await realm.connect("carol", { maxMessageBytes: 100_000 });
    const there = Promise.withResolvers<[number, unknown]>();
    carol.handle("small", async (connection) => {
      there.resolve([connection.maxMessageBytes, await failureOf(connection.receive())]);
    });
    const connection = await alice.open("carol", "small");
    connection.send(new Uint8Array(3_000_000)).catch(() => undefined);
    expect(await connection.closed).toBeInstanceOf(ConnectionError);
    expect(await connection.closed).toMatchObject({ code: "message-too-large", peer: "carol", protocol: "small" });
    expect(await there.promise).toMatchObject([100_000, { code: "message-too-large" }]);
    await carol.close();
  });

  test("a message larger than the receiver takes passes as a stream of bytes", async () => {
    const carol = await realm.connect("carol", { maxMessageBytes: 1_000 });
    carol.handle("stream", async (connection) => {
      const hash = createHash("sha256");
      for await (const chunk of connection.readable) hash.update(chunk);
      await connection.send(hash.digest("hex"));
    });
    await using connection = await alice.open("carol", "stream");
    const bytes = randomBytes(2_000_000);
    await connection.send(bytes);
    await connection.end();
    expect(await connection.receive()).toBe(digest(bytes));
    await carol.close();
  });
});

describe("streams", () => {
  test("streams carry bytes both ways and close in both directions", async () => {
    const [here, there] = await pair("streams");
    const echoing = there.readable.pipeTo(there.writable);
    const bytes = randomBytes(1_000_000);
    const writer = here.writable.getWriter();
    const writing = (async () => {
      for (let at = 0; at < bytes.length; at += 100_000)
        await writer.write(new Uint8Array(bytes.subarray(at, at + 100_000)));
      await writer.close();
    })();
    const hash = createHash("sha256");
    for await (const chunk of here.readable) hash.update(chunk);
    await Promise.all([writing, echoing]);
    expect(hash.digest("hex")).toBe(digest(bytes));
    expect(await here.closed).toBeUndefined();
    expect(await there.closed).toBeUndefined();
  });

  test("streams that are cancelled stop the other end, and leave this end's direction open", async () => {
    const [here, there] = await pair("cancelled");
    await there.send("one");
    for await (const chunk of here.readable) {
      expect(chunk).toHaveLength(3);
      break;
    }
    await here.send("still");
    expect(await there.receive()).toBe("still");
    expect(await failureOf(there.send("unread"))).toMatchObject({ code: "closed" });
    await there.end();
    await here.end();
    expect(await Promise.all([here.closed, there.closed])).toEqual([undefined, undefined]);
  });

  test("streams that are aborted abort the Connection, and tell the peer only the reason that is meant for it", async () => {
    const [here, there] = await pair("aborted");
    await here.writable.abort("broken");
    expect((await there.closed)?.message).toContain('"broken"');
    // Also while a write waits for the other end, which never reads.
    const [stuck, deaf] = await pair("aborted");
    const writer = stuck.writable.getWriter();
    const writing = failureOf(writer.write(new Uint8Array(3_000_000)));
    void writer.abort("enough");
    expect((await deaf.closed)?.message).toContain('"enough"');
    await writing;
    const [failing, stranger] = await pair("aborted");
    await failing.writable.abort(new Error("ENOENT: /home/alice/secret"));
    expect((await stranger.closed)?.message).not.toContain("ENOENT");
  });
});

function digest(bytes: string | Uint8Array | undefined): string {
  return createHash("sha256")
    .update(bytes ?? "")
    .digest("hex");
}

test("the answer to pings returns small messages as they were, and large ones in pieces", async () => {
  const connection = await alice.open("bob", "$ping");
  for (const message of ["text é𝄞", "", new Uint8Array([1, 2, 3]), new Uint8Array(65_536).fill(7)]) {
    await connection.send(message);
    expect(await connection.receive()).toEqual(message);
  }
  const large = new Uint8Array(1_000_000).map((_, at) => at);
  const sending = connection.send(large);
  let at = 0;
  while (at < large.length) {
    const piece = (await connection.receive()) as Uint8Array;
    expect(piece).toEqual(large.subarray(at, at + piece.length));
    at += piece.length;
  }
  await sending;
  await connection.end();
  expect(await connection.receive()).toBeUndefined();
});
