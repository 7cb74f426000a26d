import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { addClient } from "../../scripts/admin-client.ts";
import { startRealm } from "./realm.ts";
import { lineOf } from "./router-process.ts";

// The commands that README and the examples tell people to run.

const root = join(import.meta.dirname, "..", "..");

test("the greeting example greets, and ends well", async () => {
  await using realm = await startRealm();
  const example = (file: string): string => join(root, "examples", "greeting", file);
  const environment = async (name: string): Promise<NodeJS.ProcessEnv> => ({
    ...process.env,
    MP_URL: realm.router.url.href,
    MP_SECRET: await realm.secretOf(name),
  });
  const bob = spawn(process.execPath, [example("bob.ts")], {
    env: await environment("bob"),
    stdio: ["ignore", "pipe", "inherit"],
  });
  await lineOf(bob, /bob is connected/);
  const answered = lineOf(bob, /^alice: (.*)$/);
  const { stdout } = await promisify(execFile)(process.execPath, [example("alice.ts")], {
    env: await environment("alice"),
  });
  expect(stdout).toBe("bob: Hello alice, this is bob!\n");
  expect((await answered)[1]).toBe("Good to hear from you, bob.");
  bob.kill("SIGINT");
  expect(await once(bob, "exit")).toEqual([0, null]);
});

test("a router that is started again still has its clients", async () => {
  const stateDirectory = await mkdtemp(join(tmpdir(), "messagepasser-state-"));
  try {
    const start = (): ChildProcess =>
      spawn(process.execPath, [join(root, "scripts", "start.ts"), "--port", "0", "--state", stateDirectory], {
        stdio: ["ignore", "pipe", "inherit"],
      });
    const first = start();
    const [, url = "", adminToken = ""] = await lineOf(first, /MP_URL=(\S+) MP_ADMIN_TOKEN=(\S+)/);
    await addClient({ url: new URL(url), adminToken }, "alice");
    first.kill("SIGTERM");
    await once(first, "exit");
    expect((await stat(join(stateDirectory, "secrets.json"))).mode & 0o777).toBe(0o600);

    const second = start();
    const [, again = "", sameToken = ""] = await lineOf(second, /MP_URL=(\S+) MP_ADMIN_TOKEN=(\S+)/);
    expect(sameToken).toBe(adminToken);
    const clients = new URL("/admin/v1/realms/default/clients", again.replace(/^ws/, "http"));
    const answer = await fetch(clients, { headers: { authorization: `Bearer ${adminToken}` } });
    expect(await answer.json()).toMatchObject({ clients: [{ name: "alice", revision: 1 }] });
    second.kill("SIGTERM");
    await once(second, "exit");
  } finally {
    await rm(stateDirectory, { recursive: true });
  }
});

test("the local router runs with the settings of its deployment", async () => {
  const deployment = await readFile(join(root, "wrangler.toml"), "utf8");
  const here = await readFile(join(root, "scripts", "router.ts"), "utf8");
  for (const [there, name] of [
    [/^compatibility_date = "(.*)"$/m, /compatibilityDate: "(.*?)"/],
    [/^compatibility_flags = (.*)$/m, /compatibilityFlags: (\[.*?\])/],
    [/^name = "(.*)"$/m, /const name = "(.*)"/],
    [/^simple = { limit = (\d+), period = 10 }$/m, /connectsPer10s = (\d+)/],
  ] as const) {
    expect(here.match(name)?.[1]).toBe(deployment.match(there)?.[1]);
  }
});
