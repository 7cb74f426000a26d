import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connect, type ConnectOptions, LinkError, type Status } from "messagepasser";
import { generate } from "selfsigned";
import { describe, expect, test } from "vitest";
import { addClient } from "../../scripts/admin-client.ts";
import { startRouter } from "../../scripts/router.ts";
import { failureOf, startRealm } from "./realm.ts";

describe("connecting", () => {
  test("connecting with wrong credentials gives one answer, whichever part is wrong", async () => {
    await using realm = await startRealm();
    const secret = await realm.secretOf("alice");
    const other = await addClient(realm.router, "alice", "other");
    const attempts = [
      { name: "alice", secret: "mp_wrong" },
      { name: "nobody", secret },
      { name: "alice", secret: other },
      { name: "alice", secret, realm: "other" },
    ];
    const messages = new Set<string>();
    for (const attempt of attempts) {
      const error = await failureOf(connect(realm.router.url, attempt));
      expect(error).toMatchObject({ name: "LinkError", code: "unauthorized" });
      expect(String(error)).not.toContain("mp_");
      messages.add(String(error).replace(/.*: /, ""));
    }
    expect([...messages]).toEqual(["Name or secret is wrong for this realm, or the secret was rotated or revoked"]);
    await (await connect(realm.router.url, { name: "alice", secret: other, realm: "other" })).close();
  });

  test.each([
    ["a bad name", { name: "a:b" }, TypeError, 'Cannot connect as "a:b": a client\'s name must not contain ":"'],
    ["an empty name", { name: "" }, TypeError, 'Cannot connect as "": a client\'s name must not be empty'],
    ["a bad realm", { realm: "No" }, TypeError, 'Cannot connect to realm "No": a realm\'s name must consist of'],
    ["a URL that is no router's", { url: "ftp://example.com" }, TypeError, "must begin with wss:// or ws://"],
    ["what is no URL", { url: "nonsense" }, TypeError, 'Cannot connect to "nonsense": this is no URL'],
    ["credentials in the URL", { url: "ws://alice:x@example.com" }, TypeError, "credentials don't belong into a URL"],
    ["a port where nobody listens", {}, LinkError, "where nothing listens: check that the router is running"],
  ])("connecting with %s says so", async (_, options, kind, message) => {
    const url = "url" in options ? options.url : `ws://127.0.0.1:${await closedPort()}`;
    const error = await failureOf(connect(url, { name: "alice", secret: "x", ...options }));
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ message: expect.stringContaining(message) as string });
  });

  test("connecting in vain leaves nothing that would keep a process alive", async () => {
    await using realm = await startRealm();
    const program = `import { connect } from "messagepasser";
      await connect(process.argv[1], { name: "alice", secret: "wrong" }).catch((error) => console.log(error.code));`;
    const started = performance.now();
    const run = promisify(execFile)(process.execPath, [
      "--input-type=module",
      "--eval",
      program,
      realm.router.url.href,
    ]);
    expect((await run).stdout).toBe("unauthorized\n");
    // The router lets go of the socket after 15 s; the client must not wait for that.
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test.each([undefined, "", 7])(
    "connecting without a secret, as where a variable is not set, says so: %s",
    async (secret) => {
      // Callers without types may pass this.
      const error = await failureOf(connect("ws://127.0.0.1:1", { name: "alice", secret: secret as string }));
      expect(error).toMatchObject({ name: "TypeError", message: 'Cannot connect as "alice": the secret is missing' });
    },
  );

  test("connecting with a line feed behind the secret, as files have it, lets the client in", async () => {
    await using realm = await startRealm();
    const secret = await addClient(realm.router, "feed");
    await (await connect(realm.router.url, { name: "feed", secret: ` ${secret}\r\n` })).close();
  });

  test.each([
    [{ timeoutMs: "2s" }, "timeoutMs must be a number of 0 or more, not a value of type string"],
    [{ timeoutMs: NaN }, "timeoutMs must be a number of 0 or more, not NaN"],
    [{ graceMs: -1 }, "graceMs must be a number of 0 or more, not -1"],
    [{ maxMessageBytes: Number(undefined) }, "maxMessageBytes must be a number of 0 or more, not NaN"],
    [{ name: 7 }, "name must be a string, not 7"],
    [{ realm: null }, "realm must be a string, not null"],
    [{ onStatus: "log" }, "onStatus must be a function, not a value of type string"],
    [{ format: "msgpack" }, "format must be a format of this package, not a value of type string"],
    [{ format: {} }, "format must be a format of this package, not a value of type object"],
    [{ signal: {} }, "signal must be an AbortSignal, not a value of type object"],
    [{ format: null }, "format must be a format of this package, not null"],
  ])("connecting with the wrong option %o fails with a TypeError that names the option", async (options, message) => {
    // What callers without types may do.
    const wrong = { name: "alice", secret: "x", ...options } as unknown as ConnectOptions;
    const error = await failureOf(connect("ws://127.0.0.1:1", wrong));
    expect(error).toMatchObject({ name: "TypeError", message: `Cannot connect: ${message}` });
  });

  test.each([[undefined], [{}]])("connecting with the options %o says that the name is missing", async (options) => {
    const error = await failureOf(connect("ws://127.0.0.1:1", options as unknown as ConnectOptions));
    expect(error).toMatchObject({
      name: "TypeError",
      message: 'Cannot connect as "": a client\'s name must not be empty',
    });
  });

  test("connecting to a port that never answers ends with its timeout or its signal", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `ws://127.0.0.1:${portOf(server.address())}`;
    const error = await failureOf(connect(url, { name: "alice", secret: "x", timeoutMs: 50 }));
    expect(error).toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("no answer within 50 ms") as string,
    });
    const reason = new Error("enough");
    expect(await failureOf(connect(url, { name: "alice", secret: "x", signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    );
    const controller = new AbortController();
    const connecting = failureOf(connect(url, { name: "alice", secret: "x", signal: controller.signal }));
    controller.abort(reason);
    expect(await connecting).toBe(reason);
    server.close();
  });

  test("connecting with a function that never gives a secret ends with its timeout or its signal", async () => {
    const secret = (): Promise<string> => new Promise(() => undefined);
    const url = "ws://127.0.0.1:1";
    expect(await failureOf(connect(url, { name: "alice", secret, timeoutMs: 50 }))).toMatchObject({
      code: "no-secret",
      message: expect.stringContaining("no secret from its function: no answer within 50 ms") as string,
    });
    const controller = new AbortController();
    const connecting = failureOf(connect(url, { name: "alice", secret, signal: controller.signal }));
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await connecting).toBe(reason);
  });

  test("connecting takes an http URL, a path before it and a trailing slash", async () => {
    await using realm = await startRealm();
    const url = new URL(realm.router.url);
    url.protocol = "http:";
    const client = await connect(url.href, { name: "alice", secret: await realm.secretOf("alice") });
    expect(await client.peers()).toEqual(["alice"]);
    await client.close();
  });
});

describe("a link", () => {
  test("a link whose secret is revoked ends at once, for good", async () => {
    await using realm = await startRealm();
    const client = await realm.connect("alice");
    const url = new URL("/admin/v1/realms/default/clients/alice", realm.router.url.href.replace(/^ws/, "http"));
    const headers = { authorization: `Bearer ${realm.router.adminToken}` };
    expect((await fetch(url, { method: "DELETE", headers })).status).toBe(204);
    const error = await client.closed;
    expect(error).toMatchObject({ code: "revoked" });
    expect(error?.shouldRetry()).toBe(false);
    expect(await failureOf(realm.connect("alice"))).toMatchObject({ code: "unauthorized" });
  });

  test("a client whose secret comes from a function outlives a rotation", async () => {
    await using realm = await startRealm();
    const [offline, online] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    let secret = realm.secretOf("alice");
    const bob = await realm.connect("bob");
    const alice = await realm.connect("alice", {
      secret: () => secret,
      onStatus: ({ kind }) => {
        if (kind === "offline") offline.resolve(undefined);
        else void offline.promise.then(online.resolve);
      },
    });
    bob.handle("echo", (connection) => connection.readable.pipeTo(connection.writable));
    const url = new URL("/admin/v1/realms/default/clients/alice/rotate", realm.router.url.href.replace(/^ws/, "http"));
    const headers = { authorization: `Bearer ${realm.router.adminToken}` };
    const rotate = async (): Promise<string> => {
      const answer = await fetch(url, { method: "POST", headers });
      return ((await answer.json()) as { readonly secret: string }).secret;
    };
    // The link ends before the answer is here.
    secret = rotate();
    await online.promise;
    const connection = await alice.open("bob", "echo", { first: "again" });
    expect(Buffer.from((await connection.receive()) ?? "").toString()).toBe("again");
    await Promise.all([alice.close(), bob.close()]);
  });

  test("a link whose router is dead for longer than the grace ends its Connections, and the client goes on trying", async () => {
    const realm = await startRealm();
    const offline = Promise.withResolvers<Status>();
    const onStatus = (status: Status): void => {
      if (status.kind === "offline") offline.resolve(status);
    };
    const [alice, bob] = await Promise.all([realm.connect("alice", { graceMs: 300, onStatus }), realm.connect("bob")]);
    bob.handle("x", () => undefined);
    const connection = await alice.open("bob", "x");
    const receiving = failureOf(connection.receive());
    await realm[Symbol.asyncDispose]();
    expect(await offline.promise).toMatchObject({ kind: "offline", error: { name: "LinkError", code: "link-lost" } });
    expect(await receiving).toMatchObject({ code: "link-lost", peer: "bob", protocol: "x" });
    expect(await failureOf(alice.open("bob", "x", { timeoutMs: 50 }))).toMatchObject({ code: "open-timed-out" });
    const listing = failureOf(alice.peers());
    await Promise.all([alice.close(), bob.close({ deadlineMs: 0 })]);
    expect(await listing).toMatchObject({ name: "LinkError", code: "closed" });
    expect(await alice.closed).toBeUndefined();
  });
});

test("two processes talk over wss, with a certificate that they trust", async () => {
  const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }], {
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }],
  });
  const directory = await mkdtemp(join(tmpdir(), "messagepasser-"));
  try {
    const authority = join(directory, "authority.pem");
    await writeFile(authority, cert);
    await using router = await startRouter({ tls: { key, certificate: cert } });
    const url = new URL(router.url);
    url.hostname = "localhost";
    expect(url.protocol).toBe("wss:");
    const talk = join(import.meta.dirname, "talk-over-tls.ts");
    const { stdout } = await promisify(execFile)(process.execPath, [talk, url.href, router.adminToken], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: authority },
    });
    expect(stdout).toBe("hello over TLS\n");
    // And without that trust, not.
    expect(await failureOf(connect(url, { name: "alice", secret: "x" }))).toMatchObject({ code: "unreachable" });
  } finally {
    await rm(directory, { recursive: true });
  }
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server.address());
  server.close();
  await once(server, "close");
  return port;
}

function portOf(address: ReturnType<ReturnType<typeof createServer>["address"]>): number {
  if (address === null || typeof address === "string") throw new Error("Not a port");
  return address.port;
}
