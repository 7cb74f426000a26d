import { type ChildProcessByStdio, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Connection } from "messagepasser";
import { describe, expect, onTestFinished, test } from "vitest";
import { failureOf, type Realm, startRealm } from "./realm.ts";
import { lineOf } from "./router-process.ts";

// The client of examples/python, which was written from PROTOCOL.md alone.

const directory = join(import.meta.dirname, "..", "..", "examples", "python");
const timeoutMs = 60_000;

const python = preparePython();
if ("missing" in python) console.warn(`The client in Python is not tested: ${python.missing}`);

/** A Python that has what the client needs, installed once and kept for the next run; or why there is none. */
function preparePython(): { readonly program: string } | { readonly missing: string } {
  const options = { encoding: "utf8", stdio: "pipe", timeout: timeoutMs } as const;
  try {
    const version = execFileSync("python3", ["-c", "import sys; print(*sys.version_info[:3])"], options).trim();
    const [major = 0, minor = 0] = version.split(" ").map(Number);
    if (major !== 3 || minor < 11) return { missing: `python3 is ${version.replaceAll(" ", ".")}, not 3.11 or newer` };

    const requirements = join(directory, "requirements.txt");
    const key = createHash("sha256").update(version).update(readFileSync(requirements)).digest("hex").slice(0, 16);
    const environment = join(tmpdir(), `messagepasser-python-${key}`);
    const program = join(environment, "bin", "python");
    // Not there yet, or half of it, where a run was cut short or the system has tidied up.
    if (spawnSync(program, ["-c", "import websockets.asyncio.client"]).status !== 0) {
      execFileSync("python3", ["-m", "venv", "--clear", environment], options);
      execFileSync(program, ["-m", "pip", "install", "--quiet", "--requirement", requirements], options);
    }
    return { program };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

function start(parameters: readonly string[], secret: string): ChildProcessByStdio<null, Readable, Readable> {
  if ("missing" in python) throw new Error(python.missing);
  const child = spawn(python.program, parameters, {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, MP_SECRET: secret, PYTHONDONTWRITEBYTECODE: "1" },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

interface Run {
  readonly status: unknown;
  readonly lines: readonly string[];
  readonly stderr: string;
}

async function runKit(realm: Realm, secret: string): Promise<Run> {
  const child = start(["kit.py", realm.router.url.href, "--name", "snake"], secret);
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { status, lines: stdout.split("\n").filter(Boolean), stderr };
}

/** Sends whatever it gets back on a Connection of its own. */
const answering = `
import asyncio, os, sys
from messagepasser import connect

async def main():
    async with connect(sys.argv[1], "snake", os.environ["MP_SECRET"]) as client:
        connections = client.accept("forth")
        print("ready", flush=True)
        async for forth in connections:
            back = await client.open(forth.peer, "back", {"for": forth.metadata["for"]})
            async for message in forth:
                await back.send(message)
            await back.end()
            await forth.close()

asyncio.run(main())
`;

describe.skipIf("missing" in python)("the client in Python", { timeout: timeoutMs }, () => {
  test("the client in Python passes its kit", async () => {
    await using realm = await startRealm();
    const { status, lines, stderr } = await runKit(realm, await realm.secretOf("snake"));
    expect(stderr).toBe("");
    expect(lines.filter((line) => !line.startsWith("ok  "))).toEqual([]);
    expect(status).toBe(0);
    const cases = ["echo: 1 MiB", "echo: 10,000 small messages in order", "slow: 1 MiB", "reset: by the peer"];
    expect(lines).toEqual(expect.arrayContaining(cases.map((title) => `ok  ${title}`)));
    expect(lines.length).toBeGreaterThan(20);
  });

  test("the client in Python says so when its secret is wrong", async () => {
    await using realm = await startRealm();
    await realm.secretOf("snake");
    const { status, lines, stderr } = await runKit(realm, "wrong");
    expect(stderr).toMatch(/^Cannot connect to ws:\S+ as "snake": unauthorized: Name or secret is wrong.*\n$/);
    expect({ status, lines }).toEqual({ status: 1, lines: [] });
  });

  test("the client in Python talks with the client in TypeScript, whichever opens", async () => {
    await using realm = await startRealm();
    await lineOf(start(["-c", answering, realm.router.url.href], await realm.secretOf("snake")), /^ready$/);
    await using alice = await realm.connect("alice");
    const back = new Promise<Connection>((resolve) => alice.handle("back", resolve));
    const forth = await alice.open("snake", "forth", { metadata: { for: "the road" } });
    const connection = await back;
    expect(connection.metadata).toEqual({ for: "the road" });

    const sent = [
      "Grüße, 世界 \u{1f40d}",
      "",
      new Uint8Array(0),
      randomBytes(1_048_576),
      "\0\u{1f40d}".repeat(200_000),
    ];
    const sending = (async () => {
      for (const message of sent) await forth.send(message);
      await forth.end();
    })();
    const received: (string | Uint8Array)[] = [];
    for await (const message of connection) received.push(message);
    await sending;
    expect(received.map(comparable)).toEqual(sent.map(comparable));
    await connection.close();
    expect(await Promise.all([forth.closed, connection.closed])).toEqual([undefined, undefined]);

    expect(await failureOf(alice.open("snake", "sideways"))).toMatchObject({ code: "unknown-protocol" });
  });
});

/** Text as it is, bytes as text of another kind: large arrays are slow to compare. */
function comparable(message: string | Uint8Array): string {
  return typeof message === "string" ? message : `bytes ${Buffer.from(message).toString("base64")}`;
}
