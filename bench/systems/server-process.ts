import { spawn } from "node:child_process";
import { once } from "node:events";

/** A server that runs in a process of its own. */
export interface ServerProcess extends AsyncDisposable {
  readonly id: number;
  /** Where it listens. */
  readonly address: string;
}

/**
 * Starts a server and waits until it says where it listens. Its standard input ends when the benchmark does, however that
 * comes, for servers that look after it.
 *
 * @param command a program and its parameters.
 * @param address finds the address in what the server writes.
 * @throws Error with what it wrote when it ends before.
 */
export async function startServer(
  [program, ...parameters]: readonly [program: string, ...parameters: string[]],
  address: RegExp,
): Promise<ServerProcess> {
  const child = spawn(program, parameters, { stdio: "pipe" });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let written = "";
  const hear = (text: string): void => {
    written += text;
    // Whole lines only: an address may come in two pieces.
    const found = address.exec(written.slice(0, written.lastIndexOf("\n") + 1));
    if (found !== null) resolve(found[0]);
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  child.on("error", reject);
  child.on("exit", (code, signal) => {
    reject(new Error(`${program} ended with ${signal ?? `status ${code}`}:\n${written}`));
  });
  const found = await promise;
  return {
    id: child.pid ?? 0,
    address: found,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      child.kill();
      await exit;
    },
  };
}
