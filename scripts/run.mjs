// Plain JavaScript for Node 20, since with-dependencies.mjs needs it before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";

/**
 * What `spawn` needs to start a tool of node_modules/.bin. On Windows the tools are .cmd files, which only a shell starts,
 * and a shell has to be given one quoted line.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @returns {{ command: string, parameters: readonly string[], shell: boolean }}
 */
function startOf(command, parameters) {
  if (process.platform !== "win32") return { command, parameters, shell: false };
  const line = [command, ...parameters].map((word) => `"${word.replaceAll('"', '""')}"`).join(" ");
  return { command: line, parameters: [], shell: true };
}

/**
 * Runs a command until it ends, while nothing else in this process goes on.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {Omit<import("node:child_process").SpawnSyncOptionsWithStringEncoding, "encoding">} [options]
 * @returns {import("node:child_process").SpawnSyncReturns<string>}
 */
export function runSync(command, parameters, options = {}) {
  const start = startOf(command, parameters);
  return spawnSync(start.command, start.parameters, {
    stdio: "inherit",
    ...options,
    encoding: "utf8",
    shell: start.shell,
  });
}

/**
 * Runs a command until it ends. Signals are passed on, and the command decides what they mean; at a terminal Ctrl+C
 * reaches it anyway.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {import("node:child_process").SpawnOptions} [options]
 * @returns {Promise<number>} its exit status, as a shell would have it
 */
export async function run(command, parameters, options = {}) {
  const start = startOf(command, parameters);
  const child = spawn(start.command, start.parameters, { stdio: "inherit", ...options, shell: start.shell });
  /** @type {(signal: NodeJS.Signals) => void} */
  const forward = (signal) => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, forward);
  // A signal to npm ends npm and its shell, and never gets here: then the parent is another one.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) child.kill("SIGTERM");
  }, 500);
  try {
    const [status, signal] = await once(child, "exit");
    return status ?? 128 + constants.signals[/** @type {NodeJS.Signals} */ (signal)];
  } catch (error) {
    console.error(`Cannot run ${command}: ${error instanceof Error ? error.message : String(error)}`);
    return 127;
  } finally {
    clearInterval(watch);
    for (const signal of signals) process.off(signal, forward);
  }
}
