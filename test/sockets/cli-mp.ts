// The built `mp` as a child process, as a shell would start it.
import { Buffer } from "node:buffer";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const program = join(import.meta.dirname, "..", "..", "cli", "bin", "mp.js");
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

/** Starts the built command with nothing of the developer's own settings. */
export function start(parameters: readonly string[], environment: Environment = {}): Running {
  const child = spawn(process.execPath, [program, ...parameters], {
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
      throw new Error(`mp ended with ${status} before it said "${text}": ${stderr}`);
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
