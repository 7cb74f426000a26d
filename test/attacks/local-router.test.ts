import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRouter } from "../../scripts/router.ts";
import { attempt, offer, RawHttp } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

// The router on an owner's own machine, which has no edge before it.

// As `npm start` starts it.
const victims = underAttack(() => ({ isDirect: true }));
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "mp-local-"));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

test.for([
  ["MF-Original-URL", "http://127.0.0.1/admin/v1/realms/default/clients"],
  ["MF-Op-Original-URL", "http://127.0.0.1/admin/v1/realms/default/clients"],
  ["MF-Route-Override", "messagepasser"],
  ["MF-Proxy-Shared-Secret", "x"],
  ["MF-Disable-Pretty-Error", "true"],
  ["MF-Custom-Fetch-Service", "ROUTER"],
  ["X-Original-URL", "/admin/v1/realms/default/clients"],
  ["X-Rewrite-URL", "/admin/v1/realms/default/clients"],
  ["X-Forwarded-Prefix", "/admin"],
])(
  "a header %s leads no request elsewhere than its path says, past the rules of a proxy",
  async ([name = "", value]) => {
    using http = await RawHttp.to(victims.router.url);
    const { status, body } = await http.ask(`GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n${name}: ${value}\r\n\r\n`);
    expect([status, body]).toEqual([200, '{"status":"ok"}']);
    const upgrade = await attempt(victims.router.url, "/connect/default", [offer, [name, String(value)]]);
    expect([upgrade.status, upgrade.body]).toEqual([401, expect.stringContaining("wrong for this realm")]);
  },
);

test("the pages of the local runtime's own are not there", async () => {
  const http = victims.router.url.href.replace(/^ws/, "http");
  for (const page of [
    "cdn-cgi/local/explorer",
    "cdn-cgi/mf/scheduled",
    "cdn-cgi/handler/scheduled",
    "cdn-cgi/mf/reload",
  ])
    expect((await fetch(new URL(page, http))).status).toBe(404);
});

const long = "x".repeat(32);

function folder(name: string, mode: number, secrets: unknown = { adminToken: long, pepper: long }): string {
  const path = join(directory, name);
  mkdirSync(path);
  writeFileSync(join(path, "secrets.json"), JSON.stringify(secrets), { mode: 0o600 });
  chmodSync(path, mode);
  return path;
}

function start(stateDirectory: string): Promise<unknown> {
  return startRouter({ stateDirectory });
}

test.for<[string, unknown]>([
  ["an empty admin token", { adminToken: "", pepper: long }],
  ["an empty pepper", { adminToken: long, pepper: "" }],
  ["secrets of one letter", { adminToken: "x", pepper: "x" }],
  ["a token that white space makes long", { adminToken: long.replace(/.$/, " "), pepper: long }],
  ["a number as its pepper", { adminToken: long, pepper: 1 }],
  ["no secrets", null],
])("a router doesn't start with %s", async ([what, secrets]) => {
  await expect(start(folder(what, 0o700, secrets))).rejects.toThrow(
    /^Cannot read the router's own secrets in .*secrets\.json, of at least 32 characters: remove it to have new ones$/,
  );
});

test("a router doesn't start in a folder that another user can put another in place of", async () => {
  const open = join(directory, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  await expect(start(join(open, "inner", "state"))).rejects.toThrow(`${open} can be written to by others`);
  const link = join(open, "link");
  symlinkSync(folder("linked", 0o700), link);
  await expect(start(link)).rejects.toThrow(`${open} can be written to by others`);
});

test("a router doesn't start with secrets that another user may have written or read", async () => {
  await expect(start(folder("writable", 0o777))).rejects.toThrow("can be written to by others");
  const readable = folder("readable", 0o700);
  chmodSync(join(readable, "secrets.json"), 0o644);
  await expect(start(readable)).rejects.toThrow("can be read by others");
  // Only root can give something away.
  if (process.getuid?.() !== 0) return;
  const foreign = folder("foreign", 0o755);
  chownSync(foreign, 65_534, 65_534);
  await expect(start(foreign)).rejects.toThrow("belongs to another user");
  const planted = folder("planted", 0o700);
  chownSync(join(planted, "secrets.json"), 65_534, 65_534);
  await expect(start(planted)).rejects.toThrow("belongs to another user");
  for (const [name, ...parts] of [["foreign-state"], ["foreign-part", "v3"]] as const) {
    const own = folder(name, 0o700);
    const inner = join(own, "state", ...parts);
    mkdirSync(inner, { recursive: true });
    chownSync(inner, 65_534, 65_534);
    await expect(start(own)).rejects.toThrow(`${inner} belongs to another user`);
  }
});
