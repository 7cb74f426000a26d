import { closeCodes, limits, routerLimits } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import type { FrameLink } from "../support/readings.ts";
import { rawLink } from "../sockets/raw-links.ts";
import { failureOf } from "../sockets/realm.ts";
import { invite, invitationOf, partsOf, signed } from "./forge.ts";
import { attemptAs } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

// A client that lies about what it serves, or says it without end.

const victims = underAttack();

test("a client that serves everything gets no open to another name", async () => {
  using mallory = await rawLink(victims, "mallory");
  mallory.toRouter({ kind: "serve", share: 1, add: ["*", "echo", "bob"], remove: [] });
  const alice = await victims.connect("opener");
  for (let count = 0; count < 10; count++) await (await alice.open("bob", "echo")).close();
  await expect(alice.open("bob", "not there")).rejects.toMatchObject({ code: "unknown-protocol" });
  expect((await mallory.hearAll()).filter(({ kind }) => kind === "open")).toEqual([]);
  await alice.close();
  await victims.expectUnharmed();
});

test("a client that changes what it serves without end is closed, and others notice nothing", async () => {
  using mallory = await rawLink(victims, "changer");
  for (let count = 0; count < 2 * limits.maxOpensAtOnce; count++)
    mallory.toRouter({ kind: "serve", share: 0, add: [`${count}`], remove: [`${count - 1}`] });
  expect((await mallory.closing).code).toBe(closeCodes.overloaded);
  await victims.expectUnharmed();
});

test("a client that serves more than it may is closed, and others notice nothing", async () => {
  using mallory = await rawLink(victims, "greedy");
  const add = Array.from({ length: limits.maxServices + 1 }, (_, at) => `${at}`);
  mallory.toRouter({ kind: "serve", share: 0, add, remove: [] });
  expect((await mallory.closing).code).toBe(closeCodes.malformed);
  await victims.expectUnharmed();
});

describe("a guest that serves", () => {
  const invited = async (host: string, ...serves: string[]): Promise<string> =>
    invite(host, await victims.secretOf(host), { peer: "", protocol: "", serves, uses: 10 });
  const guestLink = async (text: string): Promise<FrameLink> =>
    await rawLink({ router: victims.router, secretOf: () => Promise.resolve(text) }, "host/guest");

  test("a guest that claims all that its host serves gets what its invitation names, and no open to its host", async () => {
    await using host = await victims.connect("host");
    host.handle("ssh", (connection) => connection.send("host"));
    await host.peers();
    using guest = await guestLink(await invited("host", "chat"));
    guest.toRouter({ kind: "serve", share: 0, add: ["*", "ssh", "host"], remove: [] });
    guest.toRouter({ kind: "list", request: 1, cursor: "" });
    await guest.hear("peers");
    await using opener = await victims.connect("opener");
    await using connection = await opener.open("host", "ssh");
    expect(await connection.receive()).toBe("host");
    expect(await failureOf(opener.open("host/guest", "ssh"))).toMatchObject({ code: "not-allowed" });
    const shown = (await opener.peers({ details: true })).find(({ name }) => name === "host/guest");
    expect(shown?.services).toEqual(["chat"]);
    expect((await guest.hearAll()).map(({ kind }) => kind)).not.toContain("open");
    await victims.expectUnharmed();
  });

  test("an invitation with too much to serve, or what is no list of protocols, lets no guest in", async () => {
    const secret = await victims.secretOf("host");
    const come = async (serves: unknown): Promise<number> => {
      const terms = invitationOf("host", secret, { serves: serves as string[] });
      return (await attemptAs(victims.router.url, "host/guest", signed(terms, partsOf(secret).inviteKey))).status;
    };
    const most = "x".repeat(routerLimits.maxInvitationServesBytes);
    for (const serves of [
      Array.from({ length: 200 }, (_, at) => `${at}`),
      Array.from({ length: 20_000 }, () => "a"),
      Array.from({ length: 5 }, () => most.slice(0, 120)),
      [most],
      [""],
      ["a\nb"],
      [["chat"]],
      [null],
      "chat",
      { 0: "chat", length: 1 },
      null,
      undefined,
    ])
      expect(await come(serves)).toBe(401);
    expect(await come(["chat"])).toBe(101);
    await victims.expectUnharmed();
  });

  test("a client that may not open to a host's guest can't tell whether the guest is there", async () => {
    expect((await victims.admin("PUT", "default/rules", "deny opener -> host : *\n")).status).toBe(204);
    await using opener = await victims.connect("opener");
    const answers = async (): Promise<unknown[]> => {
      const changes = opener.watch("host/*");
      const errors = ["chat", "ssh"].map((protocol) => failureOf(opener.open("host/guest", protocol)));
      const told = (await Promise.all(errors)).map((error) => String(error));
      await changes.return(undefined);
      return [...told, await opener.peers()];
    };
    const before = await answers();
    using guest = await guestLink(await invited("host", "chat"));
    expect(await answers()).toEqual(before);
    expect((await guest.hearAll()).map(({ kind }) => kind)).not.toContain("open");
    await victims.admin("PUT", "default/rules", "");
    await victims.expectUnharmed();
  });
});
