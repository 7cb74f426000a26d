import { closeCodes } from "@messagepasser/protocol";
import { connect, type Connection, type ConnectionError, LinkError } from "messagepasser";
import { describe, expect, test } from "vitest";
import { rawLink } from "../sockets/raw-links.ts";
import { failureOf } from "../sockets/realm.ts";
import { startSide, StatusLog } from "../sockets/side.ts";
import { invite } from "./forge.ts";
import { attemptAs } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

// A client whose owner has ended it, and which would rather stay. That its link is over is read from the router's last
// frame: the socket's own end can take seconds.

const victims = underAttack();
const ways = [
  ["revoked", "DELETE", ""],
  ["rotated", "POST", "/rotate"],
  ["disabled", "POST", "/disable"],
] as const;
type Way = (typeof ways)[number];
let lastName = 0;

/** Ends what a client may, and sees that its secret opens nothing any more. */
async function end(name: string, [, method, path]: Way): Promise<void> {
  const secret = await victims.secretOf(name);
  expect((await victims.admin(method, `default/clients/${name}${path}`)).ok).toBe(true);
  expect((await attemptAs(victims.router.url, name, secret)).status).toBe(401);
}

async function peersOf(): Promise<string[]> {
  const client = await victims.connect("watcher");
  const peers = await client.peers();
  await client.close();
  return peers;
}

describe.for(ways)("a client that is %s", (way) => {
  const newName = (): string => `client-${++lastName}`;

  test(`a client that is ${way[0]} is out at once, and doesn't come back`, async () => {
    const name = newName();
    const client = await victims.connect(name);
    await end(name, way);
    expect(await client.closed).toBeInstanceOf(LinkError);
    expect(await peersOf()).not.toContain(name);
  });

  test(`a client that is ${way[0]} while the realm's object sleeps is out as well`, async () => {
    const name = newName();
    using link = await rawLink(victims, name);
    await victims.router.evict("hibernate");
    await end(name, way);
    expect((await link.hear("closing")).code).toBe(closeCodes.revoked);
    expect(await peersOf()).not.toContain(name);
  });

  test(`a client that is ${way[0]} while nothing gets through to it is out at once, and its late messages are ignored`, async () => {
    const name = newName();
    await using side = await startSide(victims, name);
    side.path.hold("down");
    await end(name, way);
    expect(await peersOf()).not.toContain(name);
    // Its opens get nowhere now, though its socket is still there.
    const opening = failureOf(side.client.open("bob", "echo"));
    side.path.release();
    expect(((await opening) as Error).message).not.toBe("It did not fail");
    expect(await side.client.closed).toBeInstanceOf(LinkError);
  });

  test(`a client that is ${way[0]} while it doesn't read has no link any more`, async () => {
    const name = newName();
    using link = await rawLink(victims, name);
    link.socket.pause();
    await end(name, way);
    link.toRouter({ kind: "list", request: 1, cursor: "" });
    expect(await peersOf()).not.toContain(name);
    link.socket.resume();
    expect((await link.hear("closing")).code).toBe(closeCodes.revoked);
  });

  test(`a client that is ${way[0]} in the middle of a transfer loses it, and its peer is told`, async () => {
    const name = newName();
    const client = await victims.connect(name);
    const peer = await victims.connect("receiver");
    const taken = Promise.withResolvers<Connection>();
    let messages = 0;
    peer.handle("transfer", async (connection) => {
      taken.resolve(connection);
      for await (const _ of connection) messages++;
    });
    const connection = await client.open("receiver", "transfer");
    const sent = (async () => {
      for (;;) await connection.send(new Uint8Array(60_000));
    })();
    const failed = failureOf(sent);
    const there = await taken.promise;
    await connection.send("under way");
    await end(name, way);
    expect(await failed).toBeInstanceOf(Error);
    expect(((await there.closed) as ConnectionError).code).toBe("peer-gone");
    const before = messages;
    expect(await client.closed).toBeInstanceOf(LinkError);
    expect(messages).toBe(before);
    await peer.close();
  });

  test(`a client that is ${way[0]} takes its guests along, and their invitations`, async () => {
    const name = newName();
    const secret = await victims.secretOf(name);
    const text = invite(name, secret, { peer: "bob", protocol: "echo", uses: 10 });
    const options = { name: `${name}/guest`, secret: text };
    const statuses = new StatusLog();
    const guest = await connect(victims.router.url, { ...options, onStatus: statuses.onStatus });
    const connection = await guest.open("bob", "echo");
    await end(name, way);
    expect(await guest.closed).toBeInstanceOf(LinkError);
    expect(await connection.closed).toBeInstanceOf(Error);
    expect(await failureOf(connect(victims.router.url, options))).toBeInstanceOf(LinkError);
    // The guest has not tried to come back, since nothing would be better then.
    expect(statuses.kinds).toEqual(["online", "closed"]);
  });
});

test("a client that is revoked and then added again has none of its old links, secrets or guests", async () => {
  const old = await victims.secretOf("again");
  const text = invite("again", old, { uses: 10 });
  using link = await rawLink(victims, "again");
  await end("again", ways[0]);
  victims.forget("again");
  const client = await victims.connect("again");
  expect((await link.hear("closing")).code).toBe(closeCodes.revoked);
  expect((await attemptAs(victims.router.url, "again", old)).status).toBe(401);
  expect((await attemptAs(victims.router.url, "again/guest", text)).status).toBe(401);
  await client.close();
});

test("a hundred upgrades at the very moment of a revocation leave no link behind", async () => {
  const secret = await victims.secretOf("racer");
  const attempts = Array.from({ length: 100 }, () => attemptAs(victims.router.url, "racer", secret));
  const revoked = victims.admin("DELETE", "default/clients/racer");
  const statuses = (await Promise.all(attempts)).map(({ status }) => status);
  expect((await revoked).status).toBe(204);
  expect(statuses.every((status) => status === 101 || status === 401)).toBe(true);
  expect(await peersOf()).not.toContain("racer");
  expect((await attemptAs(victims.router.url, "racer", secret)).status).toBe(401);
});

test("a guest that was let in is out when its host is revoked while the object sleeps", async () => {
  const text = invite("sleeper", await victims.secretOf("sleeper"));
  const realm = { router: victims.router, secretOf: () => Promise.resolve(text) };
  using link = await rawLink(realm, "sleeper/guest");
  await victims.router.evict("hibernate");
  await end("sleeper", ways[0]);
  expect((await link.hear("closing")).code).toBe(closeCodes.revoked);
});
