import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { bundledWorker } from "../../scripts/router.ts";
import type { FromRouter, RouterStart, ToRouter } from "./calls.ts";
import { Child } from "./child.ts";

const startDeadlineMs = 30_000;
const callDeadlineMs = 10_000;

/** The router under workerd, with the faults that it can have. */
export class Router implements AsyncDisposable {
  readonly port: number;
  /** Stays the same, as all of its state. */
  adminToken = "";
  /** How many shards its realm has, or is growing to. */
  shards = 1;
  readonly #start: RouterStart;
  readonly #temporary: string;
  readonly #evictions = new Map<number, (error: string | undefined) => void>();
  readonly #died = Promise.withResolvers<Error>();
  #child: Child<ToRouter, FromRouter> | undefined;
  #isUp = false;
  #isEnding = false;
  #lastEviction = 0;

  private constructor(start: RouterStart, temporary: string) {
    this.#start = start;
    this.#temporary = temporary;
    this.port = start.port;
  }

  /** @param folder for its state, and all else that it writes. */
  static async start(folder: string): Promise<Router> {
    const temporary = join(folder, "tmp");
    mkdirSync(temporary);
    const router = new Router(
      {
        port: await freePort(),
        workerFile: await bundle(folder),
        stateDirectory: folder,
      },
      temporary,
    );
    await router.#run();
    return router;
  }

  get url(): URL {
    return new URL(`ws://127.0.0.1:${this.port}`);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Resolves if it ends without having been asked to. */
  get died(): Promise<Error> {
    return this.#died.promise;
  }

  /** The end of what it wrote to its outputs since it was started last, for people. */
  get output(): string {
    return this.#child?.output ?? "";
  }

  /** Kills workerd, and what started it, then starts it again: on the same port, with the same state. */
  async kill(): Promise<void> {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#child?.kill();
    await this.#child?.exited;
    for (const settle of this.#evictions.values()) settle("the router was killed");
    this.#evictions.clear();
    if (!this.#isEnding) await this.#run();
  }

  /** Takes the object of a shard of the realm out of memory; its sockets hibernate, or are closed. False if it didn't run. */
  async evict(webSockets: "hibernate" | "close", shard: number): Promise<boolean> {
    const id = ++this.#lastEviction;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#evictions.set(id, resolve);
    this.#child?.send({ kind: "evict", id, webSockets, shard });
    const timer = setTimeout(() => {
      resolve("no answer in time");
    }, callDeadlineMs);
    const error = await promise;
    clearTimeout(timer);
    this.#evictions.delete(id);
    return error === undefined;
  }

  /** Makes the object of a shard fail, as an exception in it would that the runtime can't forgive. */
  abort(shard: number): Promise<boolean> {
    return this.#ask(`abort?shard=${shard}`);
  }

  /** Has a shard lose its next calls of others. */
  loseCalls(shard: number, count: number): Promise<boolean> {
    return this.#ask(`lose?shard=${shard}&count=${count}`);
  }

  /** Sets the clock that the router reads, against the true time; a kill or an abort of its process sets it right. */
  moveClock(ms: number): Promise<boolean> {
    return this.#ask(`clock?ms=${ms}`);
  }

  async #ask(what: string): Promise<boolean> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.port}/soak/${what}`, {
        signal: AbortSignal.timeout(callDeadlineMs),
      });
      return response.status === 204;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    this.#isUp = false;
    await this.#child?.end();
  }

  async #run(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const onMessage = (message: FromRouter): void => {
      if (message.kind === "ready") {
        this.adminToken = message.adminToken;
        resolve(undefined);
      } else this.#evictions.get(message.id)?.(message.error);
    };
    // Files that it leaves in the system's temporary folder when it is killed would stay there.
    const child = new Child<ToRouter, FromRouter>("router-process.ts", onMessage, {
      ownGroup: true,
      environment: { TMPDIR: this.#temporary },
    });
    this.#child = child;
    void child.exited.then((how) => {
      const error = new Error(`The router ended with ${how}:\n${child.output}`);
      reject(error);
      if (this.#isUp) this.#died.resolve(error);
    });
    child.send({ kind: "start", start: this.#start });
    void delay(startDeadlineMs, undefined, { ref: false }).then(() => {
      reject(new Error(`The router did not start within ${startDeadlineMs} ms:\n${child.output}`));
    });
    await promise;
    this.#isUp = true;
  }
}

/** Once, not for each start after a kill. */
async function bundle(folder: string): Promise<string> {
  const workerFile = join(folder, "worker.js");
  writeFileSync(workerFile, await bundledWorker(join(import.meta.dirname, "worker.ts")));
  return workerFile;
}

/**
 * A port that nothing else takes while the router is down. What the system gives for port 0 it also gives to outgoing
 * sockets, and a dial to nobody there may even connect to itself.
 */
async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 12_000 + (randomBytes(2).readUInt16BE() % 16_000);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
      return port;
    } catch {
      // Taken: another one then.
    } finally {
      server.close();
    }
  }
  throw new Error("Cannot find a free port between 12000 and 28000");
}
