import { randomBytes } from "node:crypto";
import { anySession, goneReasons } from "@messagepasser/protocol";
import { connect } from "messagepasser";
import { beforeAll, expect, test } from "vitest";
import { dataFrame } from "../support/batches.ts";
import { rawLink } from "../sockets/raw-links.ts";
import { addClient } from "../../scripts/admin-client.ts";
import { invite } from "./forge.ts";
import { basic } from "../support/credentials.ts";
import { attemptAs, type HeaderLines, offer, RawHttp, upgradeText } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

// The victims are in the realm "default", the attacker has a client and a guest in the realm "den".

const victims = underAttack();
let secret = "";
beforeAll(async () => {
  secret = await addClient(victims.router, "alice", "den");
  await addClient(victims.router, "bob", "den");
});

const come = (name: string, text: string, path: string, lines: HeaderLines = []) =>
  attemptAs(victims.router.url, name, text, path, lines);

test("a secret opens only its own realm, though another has a client of the same name", async () => {
  expect((await come("alice", secret, "/connect/den")).welcome?.realm).toBe("den");
  for (const path of ["/connect/default", "/connect", "/connect/elsewhere"])
    expect((await come("alice", secret, path)).status).toBe(401);
  expect((await come("carol", await victims.secretOf("carol"), "/connect/den")).status).toBe(401);
});

test("an invitation opens only its own realm", async () => {
  const text = invite("alice", secret, { uses: 100 });
  expect((await come("alice/guest", text, "/connect/den")).welcome?.realm).toBe("den");
  for (const path of ["/connect/default", "/connect"]) expect((await come("alice/guest", text, path)).status).toBe(401);
});

test.for([
  "/connect/den/../default",
  "/connect/den/%2e%2e/default",
  "/connect/den/..%2fdefault",
  "/connect/den%2f..%2fdefault",
  "/connect/den%2fdefault",
  "/connect/den/default",
  "/connect/default/den",
  "/connect/default%00den",
  "/connect/default%23den",
  "/connect/default?realm=den",
  "/connect/default;den",
  "/connect//den",
  "//connect/default",
  "/connect/./default",
  "/connect/%64efault",
  "/connect/DEFAULT",
  "/connect/default%20",
  "/connect/default/",
  "/connect/den\\..\\default",
  "/connect/default?/connect/den",
  "/connect/default#/connect/den",
])("the path %s lets no client into a realm that its secret isn't for", async (path) => {
  for (const [name, text] of [
    ["alice", secret],
    ["carol", await victims.secretOf("carol")],
  ] as const) {
    const { welcome, status } = await come(name, text, path);
    // However a path is read, a client that gets in is in the realm that the secret was made for.
    if (welcome === undefined) expect([400, 401, 404]).toContain(status);
    else expect([welcome.name, welcome.realm]).toEqual(name === "alice" ? ["alice", "den"] : ["carol", "default"]);
  }
});

test("sessions, names and addresses of another realm mean nothing in this one", async () => {
  const session = randomBytes(16).toString("hex");
  const denizen = await addClient(victims.router, "denizen", "den");
  using link = await RawHttp.to(victims.router.url);
  const lines: HeaderLines = [offer, ["Authorization", basic("denizen", denizen)]];
  expect((await link.ask(upgradeText(`/connect/den?session=${session}`, lines))).status).toBe(101);
  const witness = await connect(victims.router.url, { name: "bob", secret: await rotated("bob"), realm: "den" });

  using mallory = await rawLink(victims, "mallory", session);
  mallory.toRouter({ kind: "list", request: 1, cursor: "" });
  expect((await mallory.hear("peers")).names).not.toContain("denizen");
  for (const wanted of [session, anySession]) {
    mallory.toRouter({ kind: "resume", session: wanted, peer: "denizen" });
    expect(await mallory.hear("absent", "paired")).toMatchObject({ kind: "absent", reason: goneReasons.lost });
  }
  for (let address = 1; address < 200; address++) mallory.say(address, dataFrame(1, 0, new Uint8Array([1])));
  const heard = await mallory.hearAll();
  expect(heard.every(({ kind }) => kind === "gone")).toBe(true);
  // Nor did the same session there replace the link here.
  expect(await witness.peers()).toEqual(["bob", "denizen"]);
  await witness.close();
});

async function rotated(name: string): Promise<string> {
  const response = await victims.admin("POST", `den/clients/${name}/rotate`);
  return ((await response.json()) as { secret: string }).secret;
}

test.for([
  "default/../den/clients",
  "default/%2e%2e/den/clients",
  "default%2f..%2fden/clients",
  "default/clients/..%2f..%2fden%2fclients",
  "default/clients/%2e%2e%2f%2e%2e%2fden",
  "den%00default/clients",
  "DEN/clients",
])("an admin path %s names one realm, or none", async (path) => {
  for (const method of ["GET", "POST", "DELETE"]) {
    using http = await RawHttp.to(victims.router.url);
    const lines = [`Host: x`, `Authorization: Bearer ${victims.router.adminToken}`, "Content-Length: 2"];
    const { status, body } = await http.ask(
      `${method} /admin/v1/realms/${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n{}`,
    );
    if (status !== 200) expect([400, 404]).toContain(status);
    // The URL's own rules lead to the den's list, which has none of the victims' clients.
    else expect(body).not.toContain('"carol"');
  }
});

test("no upgrade reaches a realm by way of the admin API, nor an admin request by way of the upgrade", async () => {
  for (const path of ["/admin/v1/realms/default/connect", "/admin/v1/connect/default", "/connect/default/clients"]) {
    using http = await RawHttp.to(victims.router.url);
    const { status } = await http.ask(upgradeText(path, [offer]));
    expect([401, 404]).toContain(status);
  }
});
