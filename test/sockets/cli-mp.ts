// The built `mp` as a child process, as a shell would start it.
import { Buffer } from "node:buffer";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { type Realm, startRealm } from "./realm.ts";

/** The built command. */
export const program = join(import.meta.dirname, "..", "..", "cli", "bin", "mp.js");
const timeLimitMs = 20_000;

/** Stands for the home directory of whoever runs `mp`; the tests' own, and empty. */
export const directory = mkdtempSync(join(tmpdir(), "mp-cli-"));

export interface Result {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly text: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly done: Promise<Result>;
  /** Resolves once standard error has this text; rejects if the command ends without. */
  says(text: string): Promise<void>;
}

export type Environment = Readonly<Record<string, string>>;

/** A realm in which the tests of a file run the command. */
export interface MpRealm extends Pick<Realm, "router" | "connect" | "secretOf"> {
  /** What makes the command a client of this name. @param url where it is told that the router is. */
  environmentOf(name: string, url?: URL): Promise<Environment>;
}

/** Starts a realm before the tests of a file, and ends it after them, together with the command's directory. */
export function realmForMp(): MpRealm {
  let realm: Realm;
  beforeAll(async () => {
    realm = await startRealm();
  });
  afterAll(async () => {
    await realm[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    get router() {
      return realm.router;
    },
    connect: (...parameters) => realm.connect(...parameters),
    secretOf: (name) => realm.secretOf(name),
    environmentOf: async (name, { href } = realm.router.url) => ({
      MP_URL: href,
      MP_NAME: name,
      MP_SECRET: await realm.secretOf(name),
    }),
  };
}

/** Starts the built command with nothing of the developer's own settings. */
export function start(parameters: readonly string[], environment: Environment = {}): Running {
  return run(process.execPath, [program, ...parameters], environment);
}

/** Starts a program with nothing of the developer's own settings. */
export function run(file: string, parameters: readonly string[], environment: Environment = {}): Running {
  const child = spawn(file, parameters, {
    env: { PATH: process.env["PATH"] ?? "", XDG_CONFIG_HOME: directory, HOME: directory, ...environment },
    timeout: timeLimitMs,
    killSignal: "SIGKILL",
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stdin.on("error", () => undefined);
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const done = once(child, "close").then(([status]: (number | null)[]): Result => {
    const bytes = Buffer.concat(stdout);
    return { status: status ?? null, stdout: bytes, text: bytes.toString(), stderr };
  });
  const says = (text: string): Promise<void> => {
    const said = new Promise<void>((resolve) => {
      const look = (): void => {
        if (stderr.includes(text)) resolve();
      };
      child.stderr.on("data", look);
      look();
    });
    const ended = done.then(({ status }) => {
      throw new Error(`${file} ended with ${status} before it said "${text}": ${stderr}`);
    });
    return Promise.race([said, ended]);
  };
  return { child, done, says };
}

/** Runs the command to its end. */
export function mp(
  parameters: readonly string[],
  environment: Environment = {},
  input: Uint8Array | string = "",
): Promise<Result> {
  const { child, done } = start(parameters, environment);
  child.stdin.end(input);
  return done;
}
