import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addClient } from "../scripts/admin-client.ts";
import { startRouter } from "../scripts/router.ts";
import type { Account } from "./clients/calls.ts";

const atOnce = 16;

/** The state of a router that knows many clients. To make one takes long, so whoever needs such a router takes a copy. */
export class Population implements AsyncDisposable {
  readonly accounts: readonly Account[];
  readonly #folder: string;
  #copies = 0;

  private constructor(folder: string, accounts: readonly Account[]) {
    this.#folder = folder;
    this.accounts = accounts;
  }

  static async make(count: number): Promise<Population> {
    const folder = await mkdtemp(join(tmpdir(), "messagepasser-bench-"));
    try {
      await using router = await startRouter({ stateDirectory: join(folder, "original") });
      const names = Array.from({ length: count }, (_, at) => `client-${at}`);
      const [rest, accounts] = [names.values(), [] as Account[]];
      const addRest = async (): Promise<void> => {
        for (const name of rest) accounts.push({ name, secret: await addClient(router, name) });
      };
      await Promise.all(Array.from({ length: atOnce }, addRest));
      return new Population(folder, accounts);
    } catch (error) {
      await rm(folder, { recursive: true });
      throw error;
    }
  }

  /** A folder with this state, for one router at a time. */
  async copy(): Promise<string> {
    const copy = join(this.#folder, `copy-${++this.#copies}`);
    await cp(join(this.#folder, "original"), copy, { recursive: true });
    return copy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
