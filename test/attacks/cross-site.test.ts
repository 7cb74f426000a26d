import { subprotocols } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { basic } from "../support/credentials.ts";
import { attempt, attemptAs, type HeaderLines, offer, type Outcome, ticketOf } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

// A page that its visitor's browser runs, with credentials that are good: what it can't choose is its origin.

const allowed = ["https://app.example.com", "https://other.example.com:8443", "http://127.0.0.1:3000"];
const path = "/connect/default";

describe("a router with MP_ORIGINS", () => {
  const victims = underAttack(() => ({ variables: { MP_ORIGINS: `  ${allowed.join("\n")} ` } }));

  const asProgram = async (...origins: string[]): Promise<Outcome> =>
    await attemptAs(
      victims.router.url,
      "carol",
      await victims.secretOf("carol"),
      path,
      origins.map((origin) => ["Origin", origin]),
    );
  const asPage = async (origin: string): Promise<Outcome> => {
    // Stolen from a page that may connect, so that only the origin of this one is at fault.
    const from: HeaderLines = [["Origin", allowed[0] ?? ""]];
    const ticket = await ticketOf(victims.router.url, "carol", await victims.secretOf("carol"), from);
    const lines: HeaderLines = [
      ["Sec-WebSocket-Protocol", `${subprotocols.native}, ${ticket}`],
      ["Origin", origin],
    ];
    return await attempt(victims.router.url, path, lines);
  };

  test("a router with MP_ORIGINS lets in pages of these origins, and programs, which have none", async () => {
    for (const origin of allowed) {
      expect((await asPage(origin)).welcome?.name).toBe("carol");
      expect((await asProgram(origin)).welcome?.name).toBe("carol");
    }
    expect((await asProgram()).welcome?.name).toBe("carol");
  });

  test.for([
    "https://evil.example",
    "null",
    "*",
    "undefined",
    // Prefixes, suffixes, and what looks alike.
    "https://app.example.co",
    "https://app.example.com.evil.example",
    "https://app.example.comevil.example",
    "https://evil.example/https://app.example.com",
    "https://evilapp.example.com",
    "https://app.example.com@evil.example",
    "https://app.example.com:443",
    "https://app.example.com:8443",
    "https://app.example.com/",
    "https://app.example.com.",
    "https://other.example.com",
    "http://app.example.com",
    "HTTPS://APP.EXAMPLE.COM",
    "app.example.com",
    "http://127.0.0.1:30000",
    // Everything that is allowed, in one request.
    allowed.join(" "),
    allowed.join("\t"),
    allowed.join(", "),
  ])('a router with MP_ORIGINS refuses the origin "%s" before it looks at the credentials', async (origin) => {
    const page = await asPage(origin);
    expect([page.status, page.welcome]).toEqual([403, undefined]);
    const { status, body, welcome } = await asProgram(origin);
    expect([status, welcome]).toEqual([403, undefined]);
    expect(body).toContain("origin-not-allowed");
    // Where pages may come from is nobody's business but the owner's.
    for (const text of allowed) expect([page.body, body].join(" ")).not.toContain(text);
  });

  test("a router with MP_ORIGINS refuses two origins at once, in any order", async () => {
    const [good = ""] = allowed;
    for (const pair of [
      [good, "https://evil.example"],
      ["https://evil.example", good],
      [good, good],
    ])
      expect((await asProgram(...pair)).status).toBe(403);
  });

  test("a router with MP_ORIGINS tells a page of another origin the same for valid and invalid credentials", async () => {
    const evil: HeaderLines = [offer, ["Origin", "https://evil.example"]];
    const told = async (...lines: HeaderLines): Promise<unknown> => {
      const { status, body } = await attempt(victims.router.url, path, [...evil, ...lines]);
      return [status, body];
    };
    const good = await told(["Authorization", basic("carol", await victims.secretOf("carol"))]);
    expect(await told(["Authorization", basic("carol", "x")])).toEqual(good);
    expect(await told()).toEqual(good);
  });

  test("a router with MP_ORIGINS gives no page of another origin leave to read its answers", async () => {
    const http = victims.router.url.href.replace(/^ws/, "http");
    for (const where of [
      "health",
      "version",
      "connect/default",
      "ticket/default",
      "ticket",
      "admin/v1/realms/default/clients",
    ]) {
      for (const method of ["GET", "OPTIONS", "POST"]) {
        const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
        const response = await fetch(new URL(where, http), { method, headers });
        expect(Array.from(response.headers.keys()).filter((name) => name.startsWith("access-control"))).toEqual([]);
      }
    }
  });
});

describe("a router without MP_ORIGINS", () => {
  const victims = underAttack();

  test("a router without MP_ORIGINS lets in any page that has a secret, and no other", async () => {
    const secret = await victims.secretOf("carol");
    for (const origin of ["https://evil.example", "null"]) {
      const from: HeaderLines = [["Origin", origin]];
      expect((await attemptAs(victims.router.url, "carol", secret, path, from)).welcome?.name).toBe("carol");
      expect((await attempt(victims.router.url, path, [offer, ...from])).status).toBe(401);
    }
  });
});
