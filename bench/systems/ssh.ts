// SSH's multiplexing as a contender of interactive.ts: one connection to a server on this machine, with a channel for each
// stream. Needs OpenSSH's client and server, of which it uses nothing but keys and settings of its own.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** How long a person pauses between two keys, at most. */
const mostPauseMs = 20;
const server = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].find((file) => existsSync(file)) ?? "";

/** A server, and later one connection to it. */
export class Ssh implements Disposable {
  readonly port: number;
  readonly #directory: string;
  readonly #processes: ChildProcess[] = [];
  #sentBytes = 0;
  #receivedBytes = 0;
  #echo: ChildProcess | undefined;

  static get isMissing(): boolean {
    return server === "";
  }

  private constructor(port: number, directory: string) {
    this.port = port;
    this.#directory = directory;
  }

  static async start(): Promise<Ssh> {
    const directory = mkdtempSync(join(tmpdir(), "messagepasser-ssh-"));
    const file = (name: string): string => join(directory, name);
    for (const name of ["host", "key"]) execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file(name)]);
    const free = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => free.once("listening", resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const settings = [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${file("host")}`,
      `AuthorizedKeysFile ${file("key.pub")}`,
      `PidFile ${file("pid")}`,
      "StrictModes no",
      "UsePAM no",
      "PermitRootLogin prohibit-password",
    ];
    writeFileSync(file("sshd_config"), settings.join("\n") + "\n");
    const ssh = new Ssh(port, directory);
    ssh.#processes.push(spawn(server, ["-D", "-e", "-f", file("sshd_config")], { stdio: "ignore" }));
    while (!(await accepts(port))) await delay(50);
    return ssh;
  }

  /** Connects, by way of this port. */
  async connect(port: number): Promise<void> {
    const settings = [
      "ControlMaster=yes",
      "StrictHostKeyChecking=no",
      "UserKnownHostsFile=/dev/null",
      "IdentitiesOnly=yes",
    ];
    const options = settings.flatMap((setting) => ["-o", setting]);
    const key = join(this.#directory, "key");
    this.#run(["-N", "-F", "none", "-i", key, "-p", String(port), ...options, "-S", this.#socket, this.#target]);
    while (!existsSync(this.#socket)) await delay(50);
    this.#echo = this.#channel("cat");
  }

  sendUp(messageBytes: number): void {
    const { stdin } = this.#channel("cat > /dev/null");
    const message = Buffer.alloc(messageBytes);
    const write = (): void => {
      do this.#sentBytes += messageBytes;
      while (stdin?.write(message) === true);
    };
    stdin?.on("drain", write);
    write();
  }

  sendDown(): void {
    this.#channel("cat /dev/zero").stdout?.on("data", ({ length }: Buffer) => (this.#receivedBytes += length));
  }

  /** Bytes up and down so far. */
  get bytes(): readonly [number, number] {
    return [this.#sentBytes, this.#receivedBytes];
  }

  async timeRoundTrips(durationMs: number): Promise<{ readonly fromMs: number; readonly tookMs: number }[]> {
    const { stdin, stdout } = this.#echo ?? {};
    if (stdin == null || stdout == null) throw new TypeError("Not connected");
    const trips: { readonly fromMs: number; readonly tookMs: number }[] = [];
    const startMs = performance.now();
    for (let fromMs = 0; fromMs < durationMs;) {
      const beforeMs = performance.now();
      fromMs = beforeMs - startMs;
      const answered = new Promise((resolve) => stdout.once("data", resolve));
      stdin.write(Buffer.alloc(64));
      await answered;
      trips.push({ fromMs, tookMs: performance.now() - beforeMs });
      await delay(Math.random() * mostPauseMs);
    }
    return trips;
  }

  [Symbol.dispose](): void {
    for (const process of this.#processes.toReversed()) process.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #socket(): string {
    return join(this.#directory, "socket");
  }

  get #target(): string {
    return `${userInfo().username}@127.0.0.1`;
  }

  #channel(command: string): ChildProcess {
    return this.#run(["-F", "none", "-S", this.#socket, this.#target, command]);
  }

  #run(parameters: readonly string[]): ChildProcess {
    const process = spawn("ssh", parameters, { stdio: ["pipe", "pipe", "ignore"] });
    this.#processes.push(process);
    // Ends with the others.
    process.stdin.on("error", () => undefined);
    return process;
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return isOpen;
}
