import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Client, Connection } from "messagepasser";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Bridge } from "../../cli/src/original/bridge.ts";
import { gobDefinition } from "../../protocol/src/original/gob.ts";
import { bytesOf, nextName, Program, type Writing, writings } from "./bridge-program.ts";
import { type Environment, mp, realmForMp, type Running, start } from "./cli-mp.ts";
import { Inbox } from "./formats/talk.ts";
import { NetworkPath } from "./proxy.ts";
import { failureOf } from "./realm.ts";
import { settled } from "./settled.ts";

// `mp bridge` with programs as the original's were, on plain TCP.

const realm = realmForMp();

const environment = (): Environment => ({ MP_URL: realm.router.url.href });

async function startBridge(url = realm.router.url.href): Promise<Running & { port: number }> {
  const running = start(["bridge", "--listen", "127.0.0.1:0", "--json"], { MP_URL: url });
  const [line] = (await once(running.child.stdout, "data")) as [Buffer];
  return { ...running, port: (JSON.parse(line.toString()) as { port: number }).port };
}

describe.each(writings.flatMap((one) => writings.map((other) => [one, other] as const)))(
  "two programs, in %s and in %s",
  (one, other) => {
    test.for([1, 2])(
      `programs in ${one} and in ${other} talk through %i bridge(s), and are told about each other's close`,
      async (bridgeCount) => {
        const here = await startBridge();
        const there = bridgeCount === 2 ? await startBridge() : here;
        const [alice, bob] = [await Program.in(realm, here.port, one), await Program.in(realm, there.port, other)];
        for (const closer of ["opener", "acceptor"] as const) {
          const id = `${alice.name}:${closer === "opener" ? "0" : "1f"}`;
          alice.say(5, bob.name, id, "chat");
          const bobsId = await bob.accepts(alice.name, "chat");
          expect(await alice.hears()).toEqual({
            meta: 6,
            otherClient: bob.name,
            connectionId: id,
            data: new Uint8Array(),
          });
          for (const data of [bytesOf("Grüße"), new Uint8Array(), new Uint8Array(randomBytes(100_000))]) {
            alice.say(0, bob.name, id, data);
            expect(await bob.hearsData(bobsId)).toEqual(data);
            bob.say(0, alice.name, bobsId, data);
            expect(await alice.hearsData(id)).toEqual(data);
          }
          const [closing, hearing, closingId, hearingId] =
            closer === "opener" ? [alice, bob, id, bobsId] : [bob, alice, bobsId, id];
          closing.say(0, hearing.name, closingId, "last");
          closing.say(7, hearing.name, closingId);
          expect(await hearing.hearsText(hearingId)).toBe("last");
          expect(await hearing.hears()).toMatchObject({ meta: 7, otherClient: closing.name, connectionId: hearingId });
          // Data that comes for it later is dropped.
          hearing.say(0, closing.name, hearingId, "late");
          expect(await hearing.hears()).toMatchObject({ meta: 2, otherClient: closing.name, connectionId: hearingId });
        }
      },
    );
  },
);

/** A bridge in this process, where a test has the clock. */
async function listening(url: string): Promise<Bridge & AsyncDisposable> {
  const bridge = await Bridge.listen({ host: "127.0.0.1", port: 0 }, { url: new URL(url), realm: "default" });
  return Object.assign(bridge, { [Symbol.asyncDispose]: () => bridge.stop() });
}

/** A program, and a client of this repository that takes its Connections of "chat". */
async function programAndClient(
  writing: Writing = "gob",
  url?: string,
): Promise<{
  running: Running & { port: number };
  program: Program;
  client: Client;
  taken: Inbox<Connection>;
}> {
  const running = await startBridge(url);
  const program = await Program.in(realm, running.port, writing);
  const client = await realm.connect(nextName());
  onTestFinished(() => client.close({ deadlineMs: 0 }));
  const taken = new Inbox<Connection>();
  client.handle("chat", (connection) => {
    taken.put(connection);
  });
  return { running, program, client, taken };
}

describe.each(writings)("a program in %s and a current client", (writing) => {
  test(`a program in ${writing} and a current client talk when the client opens: with any protocol, of messages that stay whole`, async () => {
    const { program, client } = await programAndClient(writing);
    const [opening, opening2] = [client.open(program.name, "one"), client.open(program.name, "two/ü")];
    const ids = [await program.accepts(client.name, "one"), await program.accepts(client.name, "two/ü")];
    expect(new Set(ids).size).toBe(2);
    const [id = ""] = ids;
    const [connection, other] = [await opening, await opening2];
    const large = new Uint8Array(randomBytes(4_194_304));
    await connection.send("Grüße");
    const sending = connection.send(large);
    expect(await program.hearsText(id)).toBe("Grüße");
    expect(Buffer.compare(await program.hearsData(id), large)).toBe(0);
    await sending;
    program.say(0, client.name, id, large);
    expect(Buffer.compare((await connection.receive()) as Uint8Array, large)).toBe(0);
    await connection.close();
    expect(await program.hears()).toMatchObject({ meta: 7, connectionId: id });
    expect(await connection.closed).toBeUndefined();
    program.say(7, client.name, ids[1]);
    expect(await other.receive()).toBeUndefined();
    await other.close();
    expect(await other.closed).toBeUndefined();
  });

  test(`a program in ${writing} and a current client talk when the program opens, and a half-close is not passed on`, async () => {
    const { program, client, taken } = await programAndClient(writing);
    const id = `${program.name}:a0`;
    program.say(5, client.name, id, "chat");
    expect(await program.hears()).toMatchObject({ meta: 6, otherClient: client.name, connectionId: id });
    const connection = await taken.take();
    expect(connection.peer).toBe(program.name);
    await connection.send("all");
    await connection.end();
    program.say(0, client.name, id, "still");
    expect(Buffer.from((await connection.receive()) as Uint8Array).toString()).toBe("still");
    await connection.close();
    expect(await program.hearsText(id)).toBe("all");
    expect(await program.hears()).toMatchObject({ meta: 7, otherClient: client.name, connectionId: id });
  });

  test(`a program in ${writing} and a current client are told about refusals, in the words that each has for them`, async () => {
    const { program, client } = await programAndClient(writing);
    client.handle("picky", (connection) => {
      connection.reject("no");
    });
    for (const [number, [peer, protocol, meta]] of (
      [
        [client.name, "what?", 3],
        [client.name, "picky", 2],
        ["nobody", "chat", 2],
        ["a:b", "chat", 2],
        [program.name, "chat", 2],
      ] as const
    ).entries()) {
      const id = `${program.name}:${number}`;
      program.say(5, peer, id, protocol);
      expect(await program.hears()).toEqual({ meta, otherClient: peer, connectionId: id, data: new Uint8Array() });
    }
    for (const [meta, code] of [
      [3, "unknown-protocol"],
      [2, "rejected"],
      [7, "rejected"],
    ] as const) {
      const failing = failureOf(client.open(program.name, "any"));
      const { connectionId } = await program.hears();
      program.say(meta, client.name, connectionId);
      expect(await failing).toMatchObject({ code });
    }
  });

  test(`a program in ${writing} and a current client are told about the other's end: 7 for each Connection and then 4, or peer-gone`, async () => {
    const { program, client } = await programAndClient(writing);
    const ids: string[] = [];
    for (const protocol of ["one", "two"]) {
      const opening = client.open(program.name, protocol);
      ids.push(await program.accepts(client.name, protocol));
      await opening;
    }
    const given = new AbortController();
    const failing = failureOf(client.open(program.name, "three", { signal: given.signal }));
    const { connectionId: third } = await program.hears();
    given.abort();
    await failing;
    expect(await program.hears()).toMatchObject({ meta: 7, otherClient: client.name, connectionId: third });
    await client.close();
    for (const connectionId of ids)
      expect(await program.hears()).toMatchObject({ meta: 7, otherClient: client.name, connectionId });
    expect(await program.hears()).toMatchObject({ meta: 4, otherClient: client.name, connectionId: "" });

    const other = await realm.connect(nextName());
    const opening = other.open(program.name, "four");
    const id = await program.accepts(other.name, "four");
    const connection = await opening;
    program.say(0, other.name, id, "last words");
    program.socket.end();
    expect(Buffer.from((await connection.receive()) as Uint8Array).toString()).toBe("last words");
    expect(await connection.closed).toMatchObject({ code: "peer-gone" });
    await other.close();
  });

  test(`a program in ${writing} and a current client talk in single bytes`, async () => {
    const { program, client, taken } = await programAndClient(writing);
    const id = `${program.name}:0`;
    const said = [program.bytes(5, client.name, id, "chat"), program.bytes(0, "nobody", id, "x")];
    for (const byte of Buffer.concat(said)) {
      await new Promise((resolve) => program.socket.write(Uint8Array.of(byte), resolve));
    }
    await taken.take();
    expect(new Set([(await program.hears()).meta, (await program.hears()).meta])).toEqual(new Set([2, 6]));
  });
});

describe("back-pressure", () => {
  const peakBytes = (pid: number | undefined): number =>
    1_024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

  test.runIf(process.platform === "linux")(
    "back-pressure holds a client back whose program doesn't read: 100 MB take no memory, and nothing is lost",
    async () => {
      const { running, program, client } = await programAndClient();
      const opening = client.open(program.name, "flood");
      const id = await program.accepts(client.name, "flood");
      const connection = await opening;
      const before = peakBytes(running.child.pid);
      program.socket.pause();
      const [size, count] = [100_000, 1_000];
      let sent = 0;
      const sending = (async () => {
        for (; sent < count; sent++) await connection.send(new Uint8Array(size).fill(sent % 251));
        await connection.close();
      })();
      await settled(() => sent);
      expect(sent).toBeLessThan(count / 4);
      expect(peakBytes(running.child.pid) - before).toBeLessThan((size * count) / 2);
      program.socket.resume();
      for (let at = 0; at < count; at++) {
        const data = await program.hearsData(id);
        if (data.length !== size || data[0] !== at % 251 || data[size - 1] !== at % 251)
          expect.fail(`${at} is missing`);
      }
      await sending;
      expect(await program.hears()).toMatchObject({ meta: 7, connectionId: id });
    },
  );

  test.for([
    ["gob", "closes the Connection"],
    ["json", "leaves"],
  ] as const)(
    "back-pressure holds a program in %s back whose peer doesn't read, and nothing is lost when it %s",
    async ([writing, end]) => {
      const { program, client, taken } = await programAndClient(writing);
      const id = `${program.name}:0`;
      program.say(5, client.name, id, "chat");
      expect(await program.hears()).toMatchObject({ meta: 6 });
      const connection = await taken.take();
      const [size, count] = [50_000, 1_000];
      let said = 0;
      const saying = (async () => {
        for (; said < count; said++) {
          const isFull = !program.say(0, client.name, id, new Uint8Array(size).fill(said % 251));
          if (isFull) await once(program.socket, "drain");
        }
        if (end === "leaves") program.socket.end();
        else program.say(7, client.name, id);
      })();
      await settled(() => said);
      expect(said).toBeLessThan(count / 2);
      for (let heard = 0; heard < count; heard++) {
        const bytes = (await connection.receive()) as Uint8Array;
        if (bytes.length !== size || bytes[0] !== heard % 251) expect.fail(`${heard} is missing`);
      }
      await saying;
      if (end === "leaves") expect(await failureOf(connection.receive())).toMatchObject({ code: "peer-gone" });
      else expect(await connection.receive()).toBeUndefined();
    },
  );

  test("back-pressure on one Connection of a program leaves the others alone", async () => {
    const { program, client, taken } = await programAndClient();
    const id = `${program.name}:0`;
    program.say(5, client.name, id, "chat");
    expect(await program.hears()).toMatchObject({ meta: 6 });
    await taken.take();
    // More than any window, to a client that doesn't read.
    for (let at = 0; at < 100; at++) program.say(0, client.name, id, new Uint8Array(100_000));
    const opening = client.open(program.name, "other");
    const { connectionId } = await program.hears();
    expect(connectionId).not.toBe(id);
    opening.catch(() => undefined);
  });
});

describe("a program that is not let in", () => {
  /** The message that a program gets before its TCP connection is closed. */
  async function lastWords(program: Program): Promise<[number, string]> {
    const { meta, data } = await program.hears();
    await program.closed;
    return [meta, Buffer.from(data).toString()];
  }

  test.for(writings)("a program that is not let in is told why: %s", async (writing) => {
    const { port } = await startBridge();
    const known = await realm.secretOf(nextName());
    const cases: [string, (program: Program) => void, string][] = [
      ["a name", (program) => program.say(8, program.name, "", known), "Name or secret is wrong"],
      ["a bad name", (program) => program.say(8, "a:b", "", known), 'must not contain ":"'],
      ["no secret", (program) => program.say(8, program.name), "the secret is missing"],
      ["bytes", (program) => program.say(8, program.name, "", Uint8Array.of(255)), "The secret is not UTF-8"],
      ["another meta", (program) => program.say(5, "bob", "x:0", "chat"), "must have Meta 8"],
      ["too much", (program) => program.say(8, program.name, "", new Uint8Array(20_000)), "at most 16384"],
    ];
    for (const [, say, why] of cases) {
      const program = await Program.at(port, writing);
      say(program);
      expect(await lastWords(program)).toEqual([10, expect.stringContaining(why)]);
    }
  });

  test("a program is told when the router can't be reached", async () => {
    await using bridge = await listening("ws://127.0.0.1:2");
    const program = await Program.at(bridge.address.port, "json");
    program.say(8, program.name, "", "secret");
    expect(await lastWords(program)).toEqual([
      10,
      expect.stringMatching(/^Cannot connect to ws:.+ where nothing listens/),
    ]);
  });

  test("a program that sends garbage is disconnected, and other programs stay", async () => {
    const { running, program: good, client } = await programAndClient();
    const request = `GET / HTTP/1.1\r\nHost: localhost:${running.port}\r\nUser-Agent: something that is lost\r\n\r\n`;
    for (const rubbish of [request, "{}{", "\n\nhello\n", Buffer.alloc(3), Buffer.alloc(100_000, 0x7f)]) {
      const socket = connect({ port: running.port, host: "127.0.0.1" }).resume();
      socket.on("error", () => undefined);
      socket.write(rubbish);
      await new Promise((resolve) => socket.once("close", resolve));
    }
    const opening = client.open(good.name, "still here");
    await good.accepts(client.name, "still here");
    await opening;
  });

  test("a program is told about later mistakes as well, with Meta 1", async () => {
    const { running } = await programAndClient();
    const wrong: [(program: Program) => void, string][] = [
      [(program) => program.say(11, "bob", "bob:0"), "Meta 11"],
      [(program) => program.say(4, "bob"), "Meta 4"],
      [(program) => program.say(5, "bob", "bob:0", "chat"), "ConnectionID"],
      [(program) => program.say(5, "bob", `${program.name}:0`, Uint8Array.of(255)), "not UTF-8"],
      [(program) => program.say(8, "bob", "", "secret"), "second name"],
      [(program) => program.socket.write(gobDefinition), "Second definition"],
      // The beginning of a message of 5 MiB, of which no more has to come.
      [(program) => program.socket.write(Uint8Array.of(0xfd, 0x50, 0, 0)), "at most 4198400"],
    ];
    for (const [say, why] of wrong) {
      const program = await Program.in(realm, running.port, "gob");
      say(program);
      expect(await lastWords(program)).toEqual([1, expect.stringContaining(why)]);
    }
  });

  test("a program that sends nothing whole is disconnected after 10 s", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    await using bridge = await listening("ws://127.0.0.1:2");
    const program = await Program.at(bridge.address.port, "json");
    program.socket.write("{");
    await vi.waitUntil(() => vi.getTimerCount() > 0, { timeout: 15_000 });
    await vi.advanceTimersByTimeAsync(9_000);
    expect(program.socket.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await lastWords(program)).toEqual([10, "The program sent no name and secret within 10 s"]);
  });

  test("a program whose name another one has too keeps its Connections", async () => {
    const { running, program, client, taken } = await programAndClient();
    program.say(5, client.name, `${program.name}:0`, "chat");
    expect(await program.hears()).toMatchObject({ meta: 6 });
    const there = await taken.take();
    const second = await Program.in(realm, running.port, "json", program.name);
    program.say(0, client.name, `${program.name}:0`, "still here");
    expect(await there.receive()).toEqual(new TextEncoder().encode("still here"));
    expect([program.socket.closed, second.socket.closed]).toEqual([false, false]);
  });
});

describe("a bridge whose link is lost", () => {
  test("a bridge whose link is lost reconnects, and its program notices only a pause", async () => {
    await using path = await NetworkPath.to(realm.router.url);
    const { program, client, running } = await programAndClient("gob", path.url.href);
    const opening = client.open(program.name, "long");
    const id = await program.accepts(client.name, "long");
    const connection = await opening;
    const cut = path.cutAfter(1_000_000, "up");
    const [size, count] = [10_000, 1_000];
    const sending = (async () => {
      for (let at = 0; at < count; at++) await connection.send(new Uint8Array(size).fill(at % 251));
    })();
    for (let at = 0; at < count; at++) {
      const data = await program.hearsData(id);
      if (data.length !== size || data[0] !== at % 251) expect.fail(`${at} is missing`);
      program.say(0, client.name, id, data);
    }
    for (let at = 0; at < count; at++) {
      const back = (await connection.receive()) as Uint8Array;
      if (back.length !== size || back[0] !== at % 251) expect.fail(`${at} is missing on the way back`);
    }
    await sending;
    await cut;
    await running.says(`Connections of "${program.name}" with "${client.name}" continue`);
  });
});

describe("mp bridge", () => {
  test("mp bridge serves 50 programs at once, each with the next one", async () => {
    const { port } = await startBridge();
    const programs = await Promise.all(
      Array.from({ length: 50 }, (_, at) => Program.in(realm, port, writings[at % 2] ?? "gob")),
    );
    await Promise.all(
      programs.map(async (program, at) => {
        const next = programs[(at + 1) % programs.length];
        program.say(5, next?.name ?? "", `${program.name}:0`, "ring");
        // In whatever order: the answer to its own open and then what comes on that, and the open of the one before it.
        for (let heard = 0; heard < 3; heard++) {
          const { meta, otherClient, connectionId, data } = await program.hears();
          if (meta === 5) {
            program.say(6, otherClient, connectionId);
            program.say(0, otherClient, connectionId, program.name);
          } else if (meta === 0) {
            expect([connectionId, Buffer.from(data).toString()]).toEqual([`${program.name}:0`, next?.name]);
          } else expect([meta, connectionId]).toEqual([6, `${program.name}:0`]);
        }
      }),
    );
  });

  test("mp bridge ends well at SIGTERM: data that was sent arrives, and programs are told about the end", async () => {
    const { running, program, client, taken } = await programAndClient();
    const id = `${program.name}:0`;
    program.say(5, client.name, id, "chat");
    expect(await program.hears()).toMatchObject({ meta: 6 });
    const connection = await taken.take();
    program.say(0, client.name, id, "last words");
    expect(await connection.receive()).toEqual(bytesOf("last words"));
    running.child.kill("SIGTERM");
    expect(await connection.closed).toMatchObject({ code: "peer-gone" });
    expect(await program.hears()).toMatchObject({ meta: 7, connectionId: id });
    await program.closed;
    const { status, stderr } = await running.done;
    expect([status, stderr]).toEqual([0, expect.stringContaining(`"${program.name}" at 127.0.0.1:`)]);
  });

  test("mp bridge prints its address, which other machines can't reach", async () => {
    const running = start(["bridge", "--listen", "0"], environment());
    const [line] = (await once(running.child.stdout, "data")) as [Buffer];
    expect(line.toString()).toMatch(/^127\.0\.0\.1:\d+\n$/);
    for (const host of ["0.0.0.0", "[::]"]) {
      const { status, stderr } = await mp(["bridge", "--listen", `${host}:0`], environment());
      expect([status, stderr]).toEqual([
        2,
        expect.stringMatching(/plain text\. To fix it, listen on 127\.0\.0\.1, or add --expose/),
      ]);
    }
    const exposed = start(["bridge", "--listen", "0.0.0.0:0", "--expose"], environment());
    await exposed.says("reach realm");
    const taken = await mp(["bridge", "--listen", line.toString().trim()], environment());
    expect(taken).toMatchObject({ status: 2, stderr: expect.stringContaining("EADDRINUSE") as string });
    expect(await mp(["bridge", "--listen", "nonsense"], environment())).toMatchObject({ status: 2 });
    expect(await mp(["bridge"], environment())).toMatchObject({ status: 2 });
  });

  test("mp bridge has help with examples, which says that secrets pass in plain text", async () => {
    const { status, text } = await mp(["bridge", "--help"]);
    expect([status, text]).toEqual([0, expect.stringMatching(/plain text[^]*Examples:\n {2}mp bridge --listen/)]);
  });
});
