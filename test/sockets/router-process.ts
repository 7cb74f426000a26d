import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const program = join(import.meta.dirname, "..", "..", "scripts", "start.ts");

/** The first line that a process writes that matches; fails if the process ends before. */
export async function lineOf(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  if (child.stdout === null) throw new Error("The process has no standard output");
  for await (const line of createInterface({ input: child.stdout })) {
    const match = pattern.exec(line);
    if (match !== null) return match;
  }
  throw new Error(`The process ended without a line like ${String(pattern)}`);
}

/** A router in a process of its own, which can be killed and started again with the same state. */
export class RouterProcess implements AsyncDisposable {
  readonly #directory: string;
  #child: ChildProcess | undefined;
  #url = new URL("ws://127.0.0.1:1");
  adminToken = "";

  readonly #environment: NodeJS.ProcessEnv;

  private constructor(directory: string, environment: NodeJS.ProcessEnv) {
    this.#directory = directory;
    this.#environment = environment;
  }

  /** @param environment variables beside those of this process */
  static async start(environment: NodeJS.ProcessEnv = {}): Promise<RouterProcess> {
    const router = new RouterProcess(await mkdtemp(join(tmpdir(), "messagepasser-router-")), environment);
    await router.startAgain();
    return router;
  }

  /** Another one after each start. */
  get url(): URL {
    return this.#url;
  }

  async startAgain(): Promise<void> {
    const child = spawn(process.execPath, [program, "--port", "0", "--state", join(this.#directory, "state")], {
      stdio: ["ignore", "pipe", "inherit"],
      // A group of its own, which workerd is in too.
      detached: true,
      // Files that it leaves behind when it is killed go with the rest.
      env: { ...process.env, ...this.#environment, TMPDIR: this.#directory },
    });
    this.#child = child;
    const [, url = "", adminToken = ""] = await lineOf(child, /MP_URL=(\S+) MP_ADMIN_TOKEN=(\S+)/);
    this.#url = new URL(url);
    this.adminToken = adminToken;
  }

  /** Kills workerd, and what started it: nobody gets the chance to say goodbye. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    process.kill(-child.pid, "SIGKILL");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
