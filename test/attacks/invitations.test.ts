import { randomBytes } from "node:crypto";
import {
  anySession,
  closeCodes,
  errorCodes,
  type Invitation,
  invitationBytes,
  openerBit,
  routerAddress,
} from "@messagepasser/protocol";
import { type Client, connect, type Connection, ConnectionError } from "messagepasser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFrame } from "../support/batches.ts";
import type { FrameLink } from "../support/readings.ts";
import { rawLink } from "../sockets/raw-links.ts";
import { failureOf } from "../sockets/realm.ts";
import { invitationOf, invite, partsOf, signed } from "./forge.ts";
import { attemptAs } from "./raw-http.ts";
import { underAttack, type Victims } from "./victims.ts";

const victims = underAttack();
let host = "";
beforeAll(async () => {
  host = await victims.secretOf("host");
});

const come = async (text: string, name = "host/guest"): Promise<number> =>
  (await attemptAs(victims.router.url, name, text)).status;

/** The fields of an invitation by its signed bytes, with other bytes in their place. */
const list = (invitation: Invitation): unknown[] =>
  JSON.parse(Buffer.from(invitationBytes(invitation)).toString()) as unknown[];
const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe("an invitation that its host never made", () => {
  test("an invitation with a random signature, or half of a right one, lets no guest in", async () => {
    for (let times = 0; times < 300; times++)
      expect(await come(signed(invitationOf("host", host), randomBytes(16)))).toBe(401);
    const good = Buffer.from(invite("host", host).slice("mpi_".length), "base64url");
    for (let at = 0; at < 16; at++) {
      const forged = Buffer.from(good);
      forged.writeUInt8(forged.readUInt8(at) ^ 0x80, at);
      expect(await come(`mpi_${forged.toString("base64url")}`)).toBe(401);
    }
  });

  test.for<[string, Partial<Invitation>]>([
    ["a longer time", { expiresAtMs: Date.now() + 9e9 }],
    ["more uses", { uses: 1_000 }],
    ["another peer", { peer: "*" }],
    ["another protocol", { protocol: "*" }],
    ["protocols to serve", { serves: ["*"] }],
    ["another nonce", { nonce: "0".repeat(16) }],
    ["another revision", { revision: 2 }],
    ["another secret", { secretId: "0".repeat(16) }],
    ["another guest", { guest: "other" }],
    ["another host", { host: "alice" }],
  ])("an invitation changed for %s lets no guest in with its old signature", async ([, fields]) => {
    const narrow = invitationOf("host", host, { peer: "bob", protocol: "echo" });
    const good = signed(narrow, partsOf(host).inviteKey);
    const wide = { ...narrow, ...fields };
    const mac = Buffer.from(good.slice("mpi_".length), "base64url").subarray(0, 16);
    const text = `mpi_${Buffer.concat([mac, invitationBytes(wide)]).toString("base64url")}`;
    expect(await come(text, `${wide.host}/${wide.guest}`)).toBe(401);
    // Not even for the name that the good one is for, and the good one is as good as before.
    expect(await come(text)).toBe(401);
    expect(await come(good)).toBe(101);
  });

  test("an invitation that another client signed with its own key is invalid, whichever host it names", async () => {
    const mallory = await victims.secretOf("mallory");
    const { id, revision, inviteKey } = partsOf(mallory);
    for (const fields of [{}, { secretId: id }, { secretId: id, revision }])
      expect(await come(signed(invitationOf("host", host, fields), inviteKey))).toBe(401);
    for (const key of [mallory, host, "", partsOf(host).id])
      expect(await come(signed(invitationOf("host", host), Buffer.from(key)))).toBe(401);
  });

  test("an invitation in another encoding than its host's is invalid, though its signature is right", async () => {
    const key = partsOf(host).inviteKey;
    const fields = list(invitationOf("host", host));
    const others: unknown[] = [
      [1, ...fields.slice(1)],
      [3, ...fields.slice(1)],
      fields.slice(0, 10),
      [...fields, "more"],
      Object.fromEntries(fields.entries()),
      ...[0, -1, 0.5, 1_001, "1", null].map((uses) => fields.with(8, uses)),
      ...[-1, 1e300, "9", null].map((expiresAtMs) => fields.with(7, expiresAtMs)),
      ...["", "a/b", "a:b", "a\nb", "x".repeat(200)].map((guest) => fields.with(4, guest)),
    ];
    for (const value of others) expect(await come(signed(invitationOf("host", host), key, bytesOf(value)))).toBe(401);
    expect(await come(`${invite("host", host)}${"A".repeat(3_000)}`)).toBe(401);
  });

  test("an invitation that has expired or is used under another name lets no guest in", async () => {
    expect(await come(invite("host", host, { expiresAtMs: Date.now() - 1 }))).toBe(401);
    for (const name of [
      "host",
      "guest",
      "host/",
      "/guest",
      "host/guest/",
      "host/GUEST",
      "host//guest",
      "alice",
      "alice/guest",
    ])
      expect(await come(invite("host", host), name)).toBe(401);
  });
});

describe("a guest", () => {
  let text = "";
  let guest: Client;
  beforeAll(async () => {
    text = invite("host", host, { peer: "bob", protocol: "echo", uses: 100 });
    guest = await connect(victims.router.url, { name: "host/guest", secret: text });
  });
  afterAll(async () => {
    await guest.close();
  });

  test("a guest opens what its invitation allows, under a name that says which client vouches for it", async () => {
    await using connection: Connection = await guest.open("bob", "echo", { first: "hello" });
    expect(await connection.receive()).toBe("hello");
  });

  test.for([
    ["alice", "echo"],
    ["bob", "other"],
    ["bob ", "echo"],
    ["Bob", "echo"],
    ["host", "echo"],
    ["host/guest", "echo"],
    ["nobody", "echo"],
  ])('a guest opens nothing else: "%s" for "%s"', async ([peer = "", protocol = ""]) => {
    const error = await failureOf(guest.open(peer, protocol));
    expect(error).toBeInstanceOf(ConnectionError);
    expect((error as ConnectionError).code).toBe("not-allowed");
  });

  test("a guest isn't paired with a peer that it wasn't invited to, though it knows the session", async () => {
    const session = await sessionOf("alice");
    using link = await guestLink(victims, text);
    link.toRouter({ kind: "resume", session, peer: "alice" });
    expect(await link.hear("paired", "absent")).toMatchObject({ kind: "absent" });
  });

  test("a guest gains nothing by a check, or by data on the Connection that it may open", async () => {
    using link = await guestLink(victims, text);
    const first = { address: routerAddress, flags: 0, first: new Uint8Array() };
    const open = { kind: "open", connection: 1, session: anySession, peer: "bob", protocol: "echo" } as const;
    link.toRouter({ ...open, limit: 1_000, metadata: {}, ...first });
    const { from } = await link.hear("credit");
    link.toRouter({ ...open, connection: 2, protocol: "other", limit: 0, metadata: {}, ...first });
    expect(await link.hear("refused", "routed")).toMatchObject({ kind: "refused", code: errorCodes.notAllowed });
    // As if the refused one had been accepted.
    link.say(from, dataFrame(openerBit + 2, 0, new Uint8Array([1])));
    expect(await link.hear("done", "data")).toMatchObject({ kind: "done" });
  });

  test("a guest that serves nothing takes no Connections, and a client that may not know of it isn't told that it is there", async () => {
    using link = await guestLink(victims, text);
    for (const [name, code] of [
      ["opener", "peer-absent"],
      ["host", "not-allowed"],
    ] as const) {
      const opener = await victims.connect(name);
      expect(((await failureOf(opener.open("host/guest", "echo"))) as ConnectionError).code).toBe(code);
      await opener.close();
    }
    expect((await link.hearAll()).map(({ kind }) => kind)).not.toContain("open");
  });

  test("a guest can't pose as its host or another client with its invitation", async () => {
    for (const name of ["host", "bob", "alice", "guest", "host/other"]) expect(await come(text, name)).toBe(401);
  });

  test("a guest can't invite: its invitation signs nothing", async () => {
    const bytes = Buffer.from(text.slice("mpi_".length), "base64url");
    for (const key of [bytes, bytes.subarray(0, 16), Buffer.from(text)]) {
      expect(await come(signed(invitationOf("host", host, { guest: "friend" }), key), "host/friend")).toBe(401);
      const ofGuest = { ...invitationOf("host", host), host: "host/guest", guest: "friend" };
      expect(await come(signed(ofGuest, key), "host/guest/friend")).toBe(401);
    }
  });

  test("a guest can't take the name of an existing client", async () => {
    const owner = await victims.connect("host/real");
    expect(await come(invite("host", host, { guest: "real" }), "host/real")).toBe(401);
    expect(await owner.peers()).toContain("host/real");
    await owner.close();
  });

  test("a guest may do what its host may by the rules and no more, whatever the invitation says", async () => {
    const rules = "deny host -> alice : *\n";
    expect((await victims.admin("PUT", "default/rules", rules)).status).toBe(204);
    const wide = await connect(victims.router.url, {
      name: "host/wide",
      secret: invite("host", host, { guest: "wide" }),
    });
    expect(((await failureOf(wide.open("alice", "echo"))) as ConnectionError).code).toBe("not-allowed");
    await wide.close();
    await victims.admin("PUT", "default/rules", "");
  });

  test("a guest is cut off when its invitation expires, in the middle of a Connection", async () => {
    const brief = invite("host", host, { guest: "brief", expiresAtMs: Date.now() + 1_000 });
    using link = await guestLink(victims, brief, "host/brief");
    expect((await link.hear("closing")).code).toBe(closeCodes.revoked);
    expect(await come(brief, "host/brief")).toBe(401);
  });

  async function sessionOf(peer: string): Promise<string> {
    using asking = await rawLink(victims, "asking");
    const first = { address: routerAddress, flags: 0, first: new Uint8Array() };
    const open = { kind: "open", connection: 1, session: anySession, peer, protocol: "$ping", limit: 0 } as const;
    asking.toRouter({ ...open, metadata: {}, ...first });
    return (await asking.hear("routed")).session;
  }
});

/** A guest's link that may break every rule. */
async function guestLink(victims: Victims, text: string, name = "host/guest"): Promise<FrameLink> {
  const { router } = victims;
  const realm = { router, secretOf: () => Promise.resolve(text) };
  return await rawLink(realm, name);
}
