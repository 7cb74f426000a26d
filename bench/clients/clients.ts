import { join } from "node:path";
import { addClient } from "../../scripts/admin-client.ts";
import type { Router } from "../../scripts/router.ts";
import { CalledProcess } from "../called-process.ts";
import { compiled } from "../compiled.ts";
import type { Account, ClientCalls } from "./calls.ts";

/** So many in one call, whose deadline thousands would miss. */
const connectsPerCall = 250;

/** Clients of the router in a process of their own, one or many. */
export class Clients extends CalledProcess<ClientCalls> {
  readonly names: string[] = [];
  readonly #url: URL;

  /** @param title names the process in errors, as in "process of alice". */
  constructor(url: URL, title: string) {
    super(title, [process.execPath, compiled(join(import.meta.dirname, "process.ts"))]);
    this.#url = url;
  }

  /** Starts a process with one client of a new name. */
  static async startOne(router: Router, name: string): Promise<Clients> {
    const clients = new Clients(router.url, `process of ${name}`);
    try {
      await clients.connect([{ name, secret: await addClient(router, name) }]);
    } catch (error) {
      await clients[Symbol.asyncDispose]();
      throw error;
    }
    return clients;
  }

  /** Connects more clients, which the router knows already. */
  async connect(accounts: readonly Account[]): Promise<void> {
    for (let at = 0; at < accounts.length; at += connectsPerCall)
      await this.call("connect", { url: this.#url.href, accounts: accounts.slice(at, at + connectsPerCall) });
    this.names.push(...accounts.map(({ name }) => name));
  }
}
