import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { addClient } from "../../scripts/admin-client.ts";
import type { Router } from "../../scripts/router.ts";
import type { EndCalls } from "./end.ts";

type Answer = { readonly id: number; readonly answer: never } | { readonly id: number; readonly error: string };

/** A client in a process of its own. */
export class EndProcess implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, PromiseWithResolvers<never>>();
  #lastId = 0;

  private constructor(name: string) {
    this.name = name;
    this.#child = fork(join(import.meta.dirname, "end.ts"), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    // Only end.ts writes to this channel.
    this.#child.on("message", (message) => {
      const answer = message as Answer;
      const call = this.#calls.get(answer.id);
      if ("error" in answer) call?.reject(new Error(`${name}: ${answer.error}`));
      else call?.resolve(answer.answer);
      this.#calls.delete(answer.id);
    });
  }

  /** Starts a process with a client of a new name. */
  static async start(router: Router, name: string): Promise<EndProcess> {
    const end = new EndProcess(name);
    await end.call("connect", { url: router.url.href, name, secret: await addClient(router, name) });
    return end;
  }

  call<Name extends keyof EndCalls>(
    name: Name,
    argument: EndCalls[Name]["argument"],
  ): Promise<EndCalls[Name]["answer"]> {
    const id = ++this.#lastId;
    const call = Promise.withResolvers<never>();
    this.#calls.set(id, call);
    this.#child.send({ id, name, argument });
    return call.promise;
  }

  /** Stops it as a closed lid does: nothing in it runs, but its sockets stay open. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.thaw();
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }
}

/** The resident memory of the workerd that this process started, in MiB. */
export function residentMiB(): number {
  for (const id of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const status = readFileSync(`/proc/${id}/status`, "utf8");
      if (!status.startsWith("Name:\tworkerd") || !status.includes(`PPid:\t${process.pid}\n`)) continue;
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error("There is no workerd: this needs Linux, whose /proc tells how much memory it has");
}
