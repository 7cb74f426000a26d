import { env, exports } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { routerLimits, subprotocols } from "@messagepasser/protocol";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { makeTicket } from "../../src/credentials/ticket.ts";
import worker from "../../src/worker.ts";
import { invite } from "../attacks/forge.ts";
import { basic, newSession } from "../support/credentials.ts";
import { byTest, expectProblem, pepper, Realm } from "./realm.ts";
import { refusals, refusedBy } from "./refusals.ts";
import { upgrade } from "./upgrade.ts";

const realm = new Realm();
let alice = "";
beforeAll(async () => {
  alice = (await realm.add("alice")).secret;
});

afterEach(() => {
  vi.useRealTimers();
});

function ask(where: string, headers: Record<string, string>, method = "POST"): Promise<Response> {
  return exports.default.fetch(`https://router.test/ticket/${where}`, { method, headers });
}

async function ticketOf(name = "alice", secret = alice, where = realm.name): Promise<string> {
  const response = await ask(where, { authorization: basic(name, secret) });
  expect(response.status).toBe(200);
  expect(response.headers.get("cache-control")).toBe("no-store");
  return (await response.json<{ ticket: string }>()).ticket;
}

/** The status of an upgrade with a ticket; a refusal has to be a whole one. */
async function statusWith(ticket: string, where = `/connect/${realm.name}`): Promise<number> {
  const response = await upgrade(where, { "sec-websocket-protocol": `${subprotocols.native}, ${ticket}` });
  if (response.status === 101) {
    expect(response.headers.get("sec-websocket-protocol")).toBe(subprotocols.native);
    response.webSocket?.accept();
    response.webSocket?.close(1000);
  } else await expectProblem(response, 401, "unauthorized");
  return response.status;
}

describe("a ticket", () => {
  test("a ticket lets one link in, and a second one with it is refused, also after the object was stopped", async () => {
    const ticket = await ticketOf();
    expect(await statusWith(ticket)).toBe(101);
    expect(await statusWith(ticket)).toBe(401);
    await evictDurableObject(realm.stub, { webSockets: "close" });
    expect(await statusWith(ticket)).toBe(401);
  });

  test("a ticket of a name in any script can be offered as a subprotocol", async () => {
    const name = "żółw 亀 🐢";
    const { secret } = await realm.add(name);
    const ticket = await ticketOf(name, secret);
    expect(ticket).toMatch(/^mp\.ticket\.[\w-]+$/);
    expect(await statusWith(ticket)).toBe(101);
  });

  test("a ticket expires, and the rows of expired tickets go with the next one that is used", async () => {
    const own = new Realm();
    const { secret } = await own.add("alice");
    const [used, late] = [await ticketOf("alice", secret, own.name), await ticketOf("alice", secret, own.name)];
    const where = `/connect/${own.name}`;
    expect(await statusWith(used, where)).toBe(101);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + routerLimits.ticketLifeMs });
    expect(await statusWith(late, where)).toBe(401);
    expect(await statusWith(await ticketOf("alice", secret, own.name), where)).toBe(101);
    const rows = await runInDurableObject(own.stub, (_, { storage }) =>
      storage.sql.exec<{ count: number }>("SELECT COUNT(*) AS count FROM tickets").one(),
    );
    expect(rows.count).toBe(1);
  });

  test("a ticket of one realm is of no use in another", async () => {
    const other = new Realm();
    await other.add("alice");
    expect(await statusWith(await ticketOf(), `/connect/${other.name}`)).toBe(401);
  });

  test("a ticket that was made before its secret was revoked lets no link in", async () => {
    const { secret } = await realm.add("leaving");
    const ticket = await ticketOf("leaving", secret);
    await realm.revoke("leaving");
    expect(await statusWith(ticket)).toBe(401);
  });

  test("a ticket with any character changed is refused without asking KV or the object", async () => {
    const ticket = await ticketOf();
    const nothing = (): never => {
      throw new Error("Looked a ticket up");
    };
    const bindings = {
      ...env,
      CREDENTIALS: { get: nothing } as unknown as KVNamespace,
      ROUTER: { getByName: nothing } as unknown as typeof env.ROUTER,
    };
    for (let at = subprotocols.ticketPrefix.length; at < ticket.length - 1; at++) {
      const forged = ticket.slice(0, at) + (ticket[at] === "A" ? "B" : "A") + ticket.slice(at + 1);
      const headers = { upgrade: "websocket", "sec-websocket-protocol": `${subprotocols.native}, ${forged}` };
      const response = await worker.fetch(
        new Request(`https://router.test/connect/${realm.name}`, { headers }),
        bindings,
      );
      expect(response.status).toBe(401);
    }
    const unsigned = makeTicket("another pepper", realm.name, { realm: realm.name, name: "alice" });
    for (const forged of [unsigned, "mp.ticket.", "mp.ticket.AAAA", `${ticket}${"A".repeat(8_000)}`])
      expect(await statusWith(forged)).toBe(401);
    expect(await statusWith(makeTicket(pepper, realm.name, { realm: realm.name, name: "alice" }))).toBe(101);
  });

  test("a ticket for an invitation counts as one use, for each session", async () => {
    const text = invite("alice", alice, { uses: 1 });
    const session = newSession();
    const where = `/connect/${realm.name}?session=${session}`;
    expect(await statusWith(await ticketOf("alice/guest", text), where)).toBe(101);
    expect((await ask(realm.name, { authorization: basic("alice/guest", text) })).status).toBe(401);
    expect(await statusWith(await ticketOf("alice/guest", text, `${realm.name}?session=${session}`), where)).toBe(101);
  });

  test("a ticket doesn't let in the secret that earlier versions took as a subprotocol", async () => {
    const credentials = btoa(`alice:${alice}`).replace(/=*$/, "");
    expect(await statusWith(`mp.auth.${credentials}`)).toBe(401);
  });
});

describe("a request for a ticket", () => {
  test.for(refusals)("a request for a ticket is refused with %s", async (kind) => {
    const { path, name, secret } = await refusedBy(kind);
    const where = path.slice("/connect/".length);
    const response = await ask(where, { authorization: basic(name, secret), origin: "https://app.example.com" });
    expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
    // Browsers would ask their users for a password.
    expect(response.headers.get("www-authenticate")).toBeNull();
    const detail = await expectProblem(response, 401, "unauthorized");
    expect(detail).toBe("Name or secret is wrong for this realm, or the secret was rotated or revoked");
  });

  test("a request for a ticket of a disabled client is refused, as only the object knows", async () => {
    const { secret } = await realm.add("disabled");
    await runInDurableObject(realm.stub, (object) => object.administer(byTest, "setDisabled", "disabled", true));
    await expectProblem(await ask(realm.name, { authorization: basic("disabled", secret) }), 401, "unauthorized");
  });

  test.for<[string, string, Record<string, string>]>([
    ["a bad realm", "Not_A_Realm", { authorization: basic("alice", "x") }],
    ["a bad name", "home", { authorization: basic("$alice", "x") }],
    ["a name with control characters", "home", { authorization: basic("a\nb", "x") }],
    ["a name of too many bytes", "home", { authorization: basic("é".repeat(65), "x") }],
    ["a bad session", "home?session=1", { authorization: basic("alice", "x") }],
  ])("a request for a ticket with %s is told so", async ([, where, headers]) => {
    const detail = await expectProblem(await ask(where, headers), 400, "bad-request");
    expect(detail).toMatch(/realm|name|session/);
  });

  test("a request for a ticket may be made by pages of all origins where none are listed, after asking", async () => {
    const response = await ask(realm.name, { origin: "https://app.example.com" }, "OPTIONS");
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "access-control-allow-origin": "https://app.example.com",
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "authorization",
      vary: "origin",
    });
  });

  test("a request for a ticket may be made only by pages of the origins that are listed", async () => {
    const bindings = { ...env, MP_ORIGINS: "https://app.example.com" };
    const preflight = async (origin: string): Promise<Response> => {
      const request = new Request("https://router.test/ticket", { method: "OPTIONS", headers: { origin } });
      return await worker.fetch(request, bindings);
    };
    expect((await preflight("https://app.example.com")).status).toBe(204);
    const refused = await preflight("https://evil.example");
    expect(refused.headers.get("access-control-allow-origin")).toBeNull();
    await expectProblem(refused, 403, "origin-not-allowed");
  });
});
