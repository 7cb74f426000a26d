// Proxies as they run in companies and on servers: Debian's tinyproxy and microsocks. `.ci/run` installs them.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";

/** The programs that this machine lacks. */
export const missingProxies = ["tinyproxy", "microsocks"].filter(
  (program) => spawnSync("which", [program]).status !== 0,
);

export interface RealProxy {
  /** As in "127.0.0.1:3128". */
  readonly host: string;
  /** What the proxy has logged so far: a line for each connection that it made. */
  log(): string;
  /** Ends the proxy, with all connections through it. */
  stop(): void;
}

/** A user and a password, as the proxies are told. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

/** An HTTP proxy that tunnels by CONNECT. Ends with its test. */
export async function startHttpProxy(login?: Login, ownPort?: number): Promise<RealProxy> {
  const port = ownPort ?? (await freePort());
  const directory = mkdtempSync(join(tmpdir(), "tinyproxy-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true });
  });
  const file = join(directory, "tinyproxy.conf");
  const lines = [`Port ${port}`, "Listen 127.0.0.1", "Timeout 600", "LogLevel Connect", "Allow 127.0.0.1"];
  if (login !== undefined) lines.push(`BasicAuth ${login.user} ${login.password}`);
  writeFileSync(file, `${lines.join("\n")}\n`);
  return await started("tinyproxy", ["-d", "-c", file], port);
}

/** A SOCKS5 proxy. Ends with its test. */
export async function startSocksProxy(login?: Login): Promise<RealProxy> {
  const port = await freePort();
  const own = login === undefined ? [] : ["-u", login.user, "-P", login.password];
  return await started("microsocks", ["-i", "127.0.0.1", "-p", String(port), ...own], port);
}

async function started(program: string, parameters: readonly string[], port: number): Promise<RealProxy> {
  let log = "";
  const child = spawn(program, parameters, { stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => (log += piece));
  const ended = new Promise<void>((resolve) => {
    child.once("error", resolve).once("close", () => {
      resolve();
    });
  });
  const failed = ended.then(() => {
    throw new Error(`${program}, which .ci/run installs, did not start: ${log}`);
  });
  failed.catch(() => undefined);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await Promise.race([vi.waitUntil(() => accepts(port), { timeout: 15_000 }), failed]);
  return { host: `127.0.0.1:${port}`, log: () => log, stop: () => void child.kill("SIGKILL") };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A port that nothing listens on. Neither program can say which port the system chose. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("Not a port");
  return address.port;
}
