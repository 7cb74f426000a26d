import { closeCodes, type ControlFrame, openerBit } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { dataFrame, openTo } from "../support/batches.ts";
import { basic, newSession } from "../support/credentials.ts";
import type { FrameLink } from "../support/readings.ts";
import { rawLink } from "../sockets/raw-links.ts";
import { invite } from "./forge.ts";
import { attempt, attemptAs, type HeaderLines, offer } from "./raw-http.ts";
import { underAttack, Victims } from "./victims.ts";

// Somebody recorded what a client sent, and sends it again.

function open(peer: string, protocol: string): ControlFrame {
  return openTo(peer, { protocol, limit: 10_000 });
}

/** A link whose client's batches are kept. */
async function recorded(
  victims: Victims,
  name: string,
  session: string,
): Promise<{ link: FrameLink; batches: Buffer[] }> {
  const link = await rawLink(victims, name, session);
  const batches: Buffer[] = [];
  const { socket } = link;
  const send = socket.send.bind(socket);
  socket.send = (data: unknown) => {
    batches.push(Buffer.from(data as Uint8Array));
    send(data as Uint8Array);
  };
  return { link, batches };
}

describe("a recorded upgrade", () => {
  const victims = underAttack();

  /** The upgrade with which carol got in. */
  async function recording(): Promise<{ path: string; lines: HeaderLines }> {
    const path = `/connect/default?session=${newSession()}`;
    return { path, lines: [offer, ["Authorization", basic("carol", await victims.secretOf("carol"))]] };
  }

  test.for(["rotate", "disable", "revoke"])("a recorded upgrade is refused after %s, word for word", async (what) => {
    const { path, lines } = await recording();
    expect((await attempt(victims.router.url, path, lines)).welcome?.name).toBe("carol");
    const [method, end] = what === "revoke" ? ["DELETE", ""] : ["POST", `/${what}`];
    expect((await victims.admin(method, `default/clients/carol${end}`)).ok).toBe(true);
    const again = await attempt(victims.router.url, path, lines);
    expect([again.status, again.welcome]).toEqual([401, undefined]);
    if (what === "disable") await victims.admin("DELETE", "default/clients/carol");
    // Not even once the name is there again.
    victims.forget("carol");
    if (what !== "rotate") await victims.secretOf("carol");
    else await victims.admin("DELETE", "default/clients/carol");
    expect((await attempt(victims.router.url, path, lines)).status).toBe(401);
  });

  test("a recorded upgrade is useless at another router", async () => {
    const { path, lines } = await recording();
    await using other = new Victims();
    await other.start({});
    await other.secretOf("carol");
    expect((await attempt(other.router.url, path, lines)).status).toBe(401);
  });
});

describe("recorded batches", () => {
  const victims = underAttack();

  test("recorded batches of a closed link change nothing on a link of another name", async () => {
    const { link, batches } = await recorded(victims, "carol", newSession());
    link.toRouter(open("bob", "echo"));
    const { from } = await link.hear("credit");
    link.say(from, dataFrame(openerBit + 1, 0, new Uint8Array([1, 2, 3])));
    await link.hear("data");
    link.close();
    await link.closed();
    using mallory = await rawLink(victims, "mallory");
    for (const batch of batches) mallory.socket.send(batch);
    const heard = await mallory.hearAll();
    // Its open is an open of mallory's, and what follows comes too early for a pair: nobody is taken for carol.
    expect(heard.some(({ kind }) => kind === "routed")).toBe(true);
    const list = await victims.connect("watcher");
    expect(await list.peers()).not.toContain("carol");
    await list.close();
  });

  test("recorded batches on the same session's next link are not executed twice", async () => {
    const session = newSession();
    const handled: unknown[] = [];
    const dora = await victims.connect("dora");
    dora.handle("once", async (connection) => {
      for await (const message of connection) handled.push(message);
    });
    const { link, batches } = await recorded(victims, "carol", session);
    link.toRouter(open("dora", "once"));
    const { from } = await link.hear("credit");
    link.say(from, dataFrame(openerBit + 1, 0, new Uint8Array([7])));
    await link.hear("credit");
    link.close();
    await link.closed();
    using replayed = await rawLink(victims, "carol", session);
    for (const batch of batches) replayed.socket.send(batch);
    // The address of before leads nowhere, and the open, which dora knows, opens nothing a second time.
    expect(await replayed.hear("credit", "gone")).toBeDefined();
    await replayed.hearAll();
    expect(handled.length).toBe(1);
    await dora.close();
  });

  test("recorded batches of the router are a violation when a client sends them", async () => {
    using mallory = await rawLink(victims, "mallory");
    mallory.toRouter({ kind: "routed", connection: 1, address: 1, session: newSession(), peer: "alice" });
    expect((await mallory.closing).code).toBe(closeCodes.malformed);
  });
});

describe("an invitation", () => {
  const victims = underAttack();
  const come = async (text: string, session = newSession()): Promise<number> =>
    (await attemptAs(victims.router.url, "host/guest", text, `/connect/default?session=${session}`)).status;

  test.for([1, 3])("an invitation for %d sessions lets in no more, at once or one after the other", async (uses) => {
    const text = invite("host", await victims.secretOf("host"), { uses });
    const statuses = await Promise.all(Array.from({ length: 20 }, () => come(text)));
    expect(statuses.filter((status) => status === 101).length).toBe(uses);
    expect(await come(text)).toBe(401);
  });

  test("an invitation stays used up over a restart of the realm's object, and when the session names none", async () => {
    const text = invite("host", await victims.secretOf("host"));
    const session = newSession();
    expect(await come(text, session)).toBe(101);
    await victims.router.evict("hibernate");
    expect(await come(text)).toBe(401);
    expect((await attemptAs(victims.router.url, "host/guest", text)).status).toBe(401);
    // Its own session comes back as often as it likes.
    expect(await come(text, session)).toBe(101);
  });

  test("an invitation ends with the secret that signed it", async () => {
    const text = invite("host", await victims.secretOf("host"), { uses: 10 });
    expect(await come(text)).toBe(101);
    await victims.admin("POST", "default/clients/host/rotate");
    expect(await come(text)).toBe(401);
    await victims.admin("DELETE", "default/clients/host");
    victims.forget("host");
    await victims.secretOf("host");
    expect(await come(text)).toBe(401);
  });
});
