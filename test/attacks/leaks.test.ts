import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connect } from "messagepasser";
import { type Environment, mp, type Result, start } from "../sockets/cli-mp.ts";
import { lineOf } from "../sockets/router-process.ts";
import { guessedSecret, tamperedSecret } from "./forge.ts";
import { basic } from "../support/credentials.ts";

// Logs, terminals and lists of processes must hold no secret for their readers. Router, commands and programs run as users
// run them, each as a process whose output is kept.

const root = join(import.meta.dirname, "..", "..");
const directory = mkdtempSync(join(tmpdir(), "mp-leaks-"));
/** Every output, by its source. */
const said = new Map<string, string>();
/** The secrets to search for, by their kind. */
const needles = new Map<string, string>();
let router: ChildProcess;
let url = "";
let adminToken = "";

beforeAll(async () => {
  router = spawn(process.execPath, ["scripts/start.ts", "--port", "0", "--state", directory], { cwd: root });
  keep("router", router);
  [, url = "", adminToken = ""] = await lineOf(router, /MP_URL=(\S+) MP_ADMIN_TOKEN=(\S+)/);
  const { pepper } = JSON.parse(readFileSync(join(directory, "secrets.json"), "utf8")) as { pepper: string };
  needles.set("admin token", adminToken).set("admin token, a part", adminToken.slice(4, 28)).set("pepper", pepper);
});

// The victims of this file are the programs themselves; their router is a process of its own.
afterEach(async () => {
  const secrets = await Promise.all([secretOf("bystander"), secretOf("other")]);
  await using other = await connect(url, { name: "other", secret: secrets[1] });
  other.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
  });
  await using bystander = await connect(url, { name: "bystander", secret: secrets[0] });
  await using connection = await bystander.open("other", "echo", { first: "hello" });
  expect(await connection.receive()).toBe("hello");
});

afterAll(async () => {
  if (router.exitCode === null) {
    router.kill("SIGTERM");
    await once(router, "exit");
  }
  rmSync(directory, { recursive: true, force: true });
});

function keep(who: string, { stdout, stderr }: ChildProcess): void {
  for (const stream of [stdout, stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => said.set(who, (said.get(who) ?? "") + text));
}

/** Runs `mp` with the debug output on, and keeps what it says. */
async function run(parameters: readonly string[], environment: Environment = {}, input = ""): Promise<Result> {
  const result = await mp(parameters, { MP_URL: url, MP_DEBUG: "1", ...environment }, input);
  said.set(`mp ${said.size}: ${parameters[0] ?? ""}`, result.text + result.stderr);
  await lookAtProcesses();
  return result;
}

/** Runs a program that uses the package. */
async function program(code: string, environment: Environment): Promise<void> {
  const parameters = ["--input-type=module", "-e", `import { connect } from "messagepasser";\n${code}`];
  const child = spawn(process.execPath, parameters, {
    cwd: root,
    env: { ...process.env, MP_URL: url, ...environment },
  });
  keep(`program ${said.size}`, child);
  await lookAtProcesses();
  await once(child, "close");
}

async function lookAtProcesses(): Promise<void> {
  const { stdout } = await promisify(execFile)("ps", ["-axww", "-o", "args="], { maxBuffer: 1e8 });
  said.set("ps", (said.get("ps") ?? "") + stdout);
}

async function adminRequest(path: string, method = "POST", body = "{}"): Promise<{ secret: string }> {
  const api = new URL(`/admin/v1/realms/default/clients${path}`, url.replace(/^ws/, "http"));
  const response = await fetch(api, { method, body, headers: { authorization: `Bearer ${adminToken}` } });
  return (response.status === 204 ? {} : await response.json()) as { secret: string };
}

const secrets = new Map<string, string>();
async function secretOf(name: string): Promise<string> {
  const secret = secrets.get(name) ?? (await adminRequest("", "POST", JSON.stringify({ name }))).secret;
  secrets.set(name, secret);
  return noted(name, secret, `secret of ${name}`);
}

/** A secret that is looked for from now on, as it is and as it travels. */
function noted(name: string, secret: string, what = `${secret.slice(0, 4)} of ${name}`): string {
  needles.set(`${what} ${secret.slice(-6)}`, secret);
  needles.set(`${what} ${secret.slice(-6)}, a part`, secret.slice(30, 60));
  needles.set(`${what} ${secret.slice(-6)}, as a header`, basic(name, secret).slice("Basic ".length));
  needles.set(`${what} ${secret.slice(-6)}, as a subprotocol`, Buffer.from(`${name}:${secret}`).toString("base64url"));
  return secret;
}

/** Where each needle was found, as often as it was. */
function found(): string[] {
  return Array.from(needles).flatMap(([what, needle]) =>
    Array.from(said).flatMap(([who, text]) =>
      Array.from({ length: text.split(needle).length - 1 }, () => `${what} in ${who}`),
    ),
  );
}

test("secrets are shown where they are made, once, and nowhere else", async () => {
  const admin = { MP_ADMIN_TOKEN: adminToken };
  const added = await run(["client", "add", "alice"], admin);
  const rotated = await run(["client", "rotate", "alice", "--json"], admin);
  const old = noted("alice", added.text.trim());
  const alice = noted("alice", (JSON.parse(rotated.text) as { secret: string }).secret);
  const bob = noted("bob", (await run(["client", "add", "bob"], admin)).text.trim());
  const as = (name: string, secret: string): Environment => ({ MP_NAME: name, MP_SECRET: secret });
  const invited = await run(["invite", "visitor", "bob", "*", "--uses", "50"], as("alice", alice));
  const invitation = noted("alice/visitor", invited.text.trim());
  expect([old, alice, bob].every((secret) => /^mp_[\w-]{108}$/.test(secret))).toBe(true);
  expect(invitation).toMatch(/^mpi_[\w-]+$/);
  const printed = found();
  // Each as a whole and as a part of itself, and the admin token in the router's first words.
  expect(printed.filter((where) => !where.includes("mp "))).toEqual([
    "admin token in router",
    "admin token, a part in router",
  ]);
  expect(printed.length).toBe(2 + 2 * 4);

  // Clients that are let in and clients that aren't, for every reason that exists.
  for (const [name, secret] of [
    ["alice", alice],
    ["alice", old],
    ["alice", noted("alice", tamperedSecret(alice, 20))],
    ["bob", noted("bob", guessedSecret())],
    ["nobody", alice],
    ["alice/visitor", invitation],
    ["alice", invitation],
    ["alice/visitor", `${invitation}x`],
    ["alice", `${alice}\nmore`],
    ["a:b", alice],
  ] as const)
    await run(["peers"], as(name, secret));
  const wrongToken = "wrong-admin-token-0123456789";
  needles.set("a wrong admin token", wrongToken);
  for (const given of [wrongToken, `${adminToken}\nmore`, `${adminToken}\u2026`, `${adminToken} x`]) {
    await run(["client", "list"], { MP_ADMIN_TOKEN: given });
  }

  // Secrets where they don't belong. Those on a command line are in the list of processes by their user's own doing.
  const processes = said.get("ps") ?? "";
  for (const secret of [alice, invitation]) {
    for (const parameters of [
      ["peers", "--secret", secret],
      ["peers", `--secret=${secret}`],
      ["ping", secret],
      ["connect", secret, "x"],
      ["connect", "bob", secret],
      ["peers", secret],
      [secret],
      ["peers", "--realm", secret],
      ["peers", "--name", secret],
      ["peers", "--secret-file", secret],
      ["client", "revoke", secret],
    ])
      await run(parameters, { ...as("alice", alice), ...admin });
    await run(["peers"], { ...as("alice", alice), MP_URL: url.replace("//", `//alice:${secret}@`) });
    await run(["peers"], { ...as(secret, alice) });
  }
  said.set("ps", processes);
  for (const where of ["connect/default", "nowhere", "admin/v1"]) {
    const http = url.replace(/^ws/, "http");
    await (await fetch(`${http}/${where}?secret=${alice}&token=${adminToken}`)).text();
  }

  // A listener whose command crashes, one that shows all that it was given, and who opens to them.
  for (const [protocol, ...command] of [
    ["crash", process.execPath, "-e", "process.exit(3)"],
    ["env", process.execPath, "-e", "console.log(process.env); console.error(process.argv)"],
  ]) {
    const listening = start(["listen", protocol ?? "", "--", ...command], {
      MP_URL: url,
      MP_DEBUG: "1",
      ...as("bob", bob),
    });
    keep(`listener of ${protocol}`, listening.child);
    await listening.says("Listening");
    await lookAtProcesses();
    await run(["connect", "bob", protocol ?? ""], as("alice", alice), "hello");
    await run(["connect", "bob", protocol ?? ""], as("alice/visitor", invitation), "hello");
    listening.child.kill("SIGTERM");
    await listening.done;
  }

  // Programs whose handlers fail, that never look at what fails, and that print all that they have.
  await program(
    `const client = await connect(process.env.MP_URL, { name: "bob", secret: process.env.MP_SECRET });
    const { inspect } = await import("node:util");
    console.log(inspect(client, { depth: 20, showHidden: true }));
    client.handle("fails", () => { throw new Error("as asked"); });
    await client.open("bob", "fails").catch((error) => console.log(inspect(error, { depth: 20, showHidden: true })));
    await client.close();`,
    { MP_SECRET: bob },
  );
  await program(`await connect(process.env.MP_URL, { name: "alice", secret: process.env.MP_SECRET });`, {
    MP_SECRET: old,
  });
  await program(
    `await connect(process.env.MP_URL.replace("//", "//alice:" + process.env.MP_SECRET + "@"),
      { name: "alice", secret: process.env.MP_SECRET });`,
    { MP_SECRET: alice },
  );
  await adminRequest("/alice", "DELETE");
  await run(["peers"], as("alice", alice));

  expect(said.get("ps")).toContain("workerd");
  expect(Array.from(said.values()).join("")).toContain("as asked");
  expect(found()).toEqual(printed);
}, 60_000);
