import { type Client, connect, type Connection } from "messagepasser";
import { invite, readInvitation } from "messagepasser/invite";
import { msgpack } from "messagepasser/msgpack";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { failureOf, type Realm, startRealm } from "./realm.ts";

// Rules and invitations as clients meet them.

let realm: Realm;
let alice: Client;
let bob: Client;

beforeAll(async () => {
  realm = await startRealm();
  alice = await realm.connect("alice");
  // Of another format, so that what the router says of rules goes through that as well.
  bob = await realm.connect("bob", { format: msgpack });
  bob.handle("chat", echo);
  bob.handle("ssh", echo);
});

afterEach(async () => {
  await setRules("");
});

afterAll(async () => {
  await Promise.all([alice.close(), bob.close()]);
  await realm[Symbol.asyncDispose]();
});

async function echo(connection: Connection): Promise<void> {
  for await (const message of connection) await connection.send(message);
}

async function setRules(text: string): Promise<void> {
  const url = new URL("/admin/v1/realms/default/rules", realm.router.url.href.replace(/^ws/, "http"));
  const headers = { authorization: `Bearer ${realm.router.adminToken}` };
  const { status } = await fetch(url, { method: "PUT", headers, body: text });
  expect(status).toBe(204);
}

async function expectEcho(connection: Connection): Promise<void> {
  await connection.send("still there?");
  expect(await connection.receive()).toBe("still there?");
}

describe("rules", () => {
  test("rules refuse an open that they don't allow, and name their line", async () => {
    await setRules("allow alice -> bob : chat\ndefault closed");
    const error = await failureOf(alice.open("bob", "ssh"));
    expect(error).toMatchObject({
      code: "not-allowed",
      message: expect.stringContaining("Line 2 of the realm's rules"),
    });
    // Not whether somebody is there either.
    expect(await failureOf(alice.open("nobody", "ssh"))).toMatchObject({ code: "not-allowed" });
    await expectEcho(await alice.open("bob", "chat"));
  });

  test("changed rules end the Connections that they no longer allow, at both ends, and nothing else", async () => {
    const [chat, ssh] = [await alice.open("bob", "chat"), await alice.open("bob", "ssh")];
    await expectEcho(chat);
    await expectEcho(ssh);
    await setRules("deny * -> * : ssh");
    expect(await ssh.closed).toMatchObject({ code: "not-allowed", peer: "bob", protocol: "ssh" });
    await expectEcho(chat);
    await chat.close();
  });

  test("rules that leave two clients nothing end everything between them, for good", async () => {
    const chat = await alice.open("bob", "chat");
    await expectEcho(chat);
    await setRules("default closed");
    expect(await chat.closed).toMatchObject({ code: "not-allowed", peer: "bob" });
    await setRules("");
    await expectEcho(await alice.open("bob", "chat"));
  });
});

describe("an invitation", () => {
  const soon = (): Date => new Date(Date.now() + 60_000);

  async function invited(peer: string, protocol: string): Promise<{ name: string; secret: string }> {
    const secret = await realm.secretOf("alice");
    const made = await invite({ name: "alice", secret, guest: "printer", peer, protocol, expiresAt: soon() });
    return { name: made.name, secret: made.invitation };
  }

  test("an invitation lets in a guest, which may do what it says", async () => {
    const guest = await connect(realm.router.url, await invited("bob", "chat"));
    expect(guest.name).toBe("alice/printer");
    await expectEcho(await guest.open("bob", "chat"));
    expect(await failureOf(guest.open("bob", "ssh"))).toMatchObject({ code: "not-allowed" });
    expect(await failureOf(guest.open("alice", "chat"))).toMatchObject({ code: "not-allowed" });
    expect(await failureOf(alice.open("alice/printer", "chat"))).toMatchObject({ code: "not-allowed" });
    await guest.close();
  });

  test("an invitation tells its holder what it is for, and can't be made of a string that is no secret", async () => {
    const { secret } = await invited("b*", "chat");
    expect(readInvitation(secret)).toMatchObject({ host: "alice", name: "alice/printer", peer: "b*", uses: 1 });
    expect(readInvitation("mpi_nonsense")).toBeUndefined();
    const wrong = { name: "alice", secret: "swordfish", guest: "g", peer: "bob", protocol: "chat", expiresAt: soon() };
    await expect(invite(wrong)).rejects.toThrow(TypeError);
    const badGuest = { ...wrong, secret: await realm.secretOf("alice"), guest: "a/b" };
    await expect(invite(badGuest)).rejects.toThrow('has no "/"');
  });
});
