import { join } from "node:path";
import { addClient } from "../../scripts/admin-client.ts";
import type { Router } from "../../scripts/router.ts";
import { CalledProcess } from "../called-process.ts";
import type { Account, ClientCalls } from "./calls.ts";

/** Clients of the router in a process of their own, one or many. */
export class Clients extends CalledProcess<ClientCalls> {
  readonly names: readonly string[];

  private constructor(names: readonly string[]) {
    super(`process of ${names[0]}`, [process.execPath, join(import.meta.dirname, "process.ts")]);
    this.names = names;
  }

  /** Starts a process with clients that the router knows already. */
  static async start(url: URL, accounts: readonly Account[]): Promise<Clients> {
    const clients = new Clients(accounts.map(({ name }) => name));
    try {
      await clients.call("connect", { url: url.href, accounts });
    } catch (error) {
      await clients[Symbol.asyncDispose]();
      throw error;
    }
    return clients;
  }

  /** Starts a process with one client of a new name. */
  static async startOne(router: Router, name: string): Promise<Clients> {
    return await Clients.start(router.url, [{ name, secret: await addClient(router, name) }]);
  }
}
