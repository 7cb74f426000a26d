import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { startRealm } from "./realm.ts";

const program = join(import.meta.dirname, "pool-worker.ts");

/** How many workers are killed: more by hand, as `POOL_KILLS=60 npx vitest run --project sockets test/sockets/pool.test.ts`. */
const kills = Number(process.env["POOL_KILLS"] ?? 5);
/** The least time between two of them. */
const pauseMs = Number(process.env["POOL_PAUSE_MS"] ?? 0);

test(
  "a pool of five workers, of which one is killed and started anew again and again, refuses no open and does nothing twice",
  { timeout: 60_000 + 10_000 * kills },
  async () => {
    await using realm = await startRealm();
    const secret = await realm.secretOf("pool");
    const handled: string[] = [];

    const start = async (): Promise<ChildProcessByStdio<null, Readable, null>> => {
      const worker = spawn(process.execPath, [program, realm.router.url.href, "pool"], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, MP_SECRET: secret },
      });
      onTestFinished(() => void worker.kill("SIGKILL"));
      const ready = Promise.withResolvers<undefined>();
      createInterface(worker.stdout).on("line", (line) => {
        if (line === "ready") ready.resolve(undefined);
        else handled.push(line);
      });
      await ready.promise;
      return worker;
    };

    const workers = await Promise.all(Array.from({ length: 5 }, start));
    // What a killed worker was at is lost with it: its Connection fails soon, and that lane goes on.
    await using boss = await realm.connect("boss", { graceMs: 1_000 });
    const failures: unknown[] = [];
    const done: string[] = [];
    const over = new AbortController();
    const load = Array.from({ length: 8 }, async (_, lane) => {
      for (let at = 0; !over.signal.aborted; at++) {
        const task = `${lane}.${at}`;
        try {
          const connection = await boss.open("pool", "work", { first: task });
          if ((await connection.receive()) === task) done.push(task);
        } catch (error) {
          failures.push(error);
        }
      }
    });
    for (let round = 0; round < kills; round++) {
      workers.shift()?.kill("SIGKILL");
      const [next] = await Promise.all([start(), delay(pauseMs)]);
      workers.push(next);
    }
    const before = done.length;
    await expect.poll(() => done.length).toBeGreaterThan(before + 100);
    over.abort();
    await boss.close();
    await Promise.all(load);

    // Connections that were open as their worker died, or as the boss left.
    console.log(
      `${kills} kills: ${done.length} tasks done, ${handled.length} handled, ${failures.length} lost with their worker`,
    );
    const codes = new Set(failures.map((error) => (error as { code?: string }).code));
    for (const code of codes) expect(["closed", "peer-gone"]).toContain(code);
    expect(done.length).toBeGreaterThan(100);
    expect(new Set(handled).size).toBe(handled.length);
  },
);
