import { type Client, connect } from "messagepasser";
import { invite } from "messagepasser/invite";
import { expect, test } from "vitest";
import { failureOf, startRealm } from "./realm.ts";

test("ten guests of one invitation serve at once, each by its label and all by their name, until the invitation ends", async () => {
  await using realm = await startRealm();
  const [alice, bob] = [await realm.connect("alice"), await realm.connect("bob")];
  const { name, invitation } = await invite({
    name: "alice",
    secret: await realm.secretOf("alice"),
    guest: "worker",
    serves: ["build"],
    uses: 10,
    expiresAt: new Date(Date.now() + 60_000),
  });
  const join = async (at: number): Promise<Client> => {
    const instance = `worker-${at}`;
    const guest = await connect(realm.router.url, { name, secret: invitation, instance });
    for (const protocol of ["build", "ssh"])
      guest.handle(protocol, (connection) => connection.send(instance), { share: true });
    // The router has heard what it serves.
    await guest.peers();
    return guest;
  };
  const guests = await Promise.all(Array.from({ length: 10 }, (_, at) => join(at)));
  const instances = guests.map((guest) => guest.instance);
  expect(await failureOf(join(10))).toMatchObject({ code: "unauthorized" });

  const ask = async (from: Client, instance?: string): Promise<unknown> => {
    await using connection = await from.open(name, "build", instance === undefined ? {} : { instance });
    return await connection.receive();
  };
  for (const instance of instances) expect(await ask(bob, instance)).toBe(instance);
  const answers: unknown[] = [];
  for (let count = 0; count < 100; count++) answers.push(await ask(count % 2 === 0 ? alice : bob));
  for (const instance of instances) expect(answers.filter((answer) => answer === instance).length).toBeGreaterThan(2);

  const sessions = (await bob.peers({ details: true })).filter((peer) => peer.name === name);
  expect(sessions.map((session) => session.instance).toSorted()).toEqual(instances);
  for (const { services } of sessions) expect(services).toEqual(["build"]);
  expect(await failureOf(bob.open(name, "ssh"))).toMatchObject({
    code: "not-allowed",
    message: expect.stringContaining("The peer's invitation doesn't let it serve this protocol"),
  });
  const [first] = guests;
  if (first === undefined) throw new Error("No guest");
  expect(await failureOf(first.open("bob", "build"))).toMatchObject({ code: "not-allowed" });

  const held = await bob.open(name, "build");
  const url = new URL("/admin/v1/realms/default/clients/alice", realm.router.url.href.replace(/^ws/, "http"));
  const headers = { authorization: `Bearer ${realm.router.adminToken}` };
  expect((await fetch(url, { method: "DELETE", headers })).status).toBe(204);
  for (const guest of guests) expect(await guest.closed).toMatchObject({ code: "revoked" });
  expect(await held.closed).toMatchObject({ code: "peer-gone" });
  expect(await failureOf(ask(bob))).toMatchObject({ code: "peer-absent" });
  await Promise.all([alice.close(), bob.close()]);
});
