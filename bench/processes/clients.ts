import { join } from "node:path";
import type { Account } from "./accounts.ts";
import { Child } from "./child.ts";
import type { ClientCalls } from "./clients-process.ts";
import { nodeCommand } from "./compiled.ts";

/** More would miss the deadline of a call. */
const connectsPerCall = 250;

/** Clients of a router, in a process of their own. */
export class Clients extends Child<ClientCalls> {
  readonly names: string[] = [];
  readonly #url: URL;

  /** @param title names the process in errors, as in "process of alice". */
  constructor(url: URL, title: string) {
    super(title, nodeCommand(join(import.meta.dirname, "clients-process.ts")));
    this.#url = url;
  }

  /** Connects more clients. */
  async connect(accounts: readonly Account[]): Promise<void> {
    for (let at = 0; at < accounts.length; at += connectsPerCall)
      await this.call("connect", { url: this.#url.href, accounts: accounts.slice(at, at + connectsPerCall) });
    this.names.push(...accounts.map(({ name }) => name));
  }
}
