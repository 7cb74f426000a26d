import { randomBytes } from "node:crypto";
import { type Client, connect, type ConnectOptions, type Connection } from "messagepasser";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { addClient } from "../../scripts/admin-client.ts";
import { type Router, type RouterOptions, startRouter } from "../../scripts/router.ts";
import type { Realm } from "../sockets/realm.ts";

/** Long for a message between two processes on one machine: past it, somebody has harmed them. */
const patienceMs = 10_000;

/** The attacker's targets: a router, and two clients on it that talk all the while and must notice nothing. */
export class Victims implements Realm {
  readonly #secrets = new Map<string, Promise<string>>();
  readonly #losses: string[] = [];
  #router: Router | undefined;
  #clients: readonly [alice: Client, bob: Client] | undefined;
  #bystander: Connection | undefined;

  get router(): Router {
    if (this.#router === undefined) throw new Error("The router is started before the first test");
    return this.#router;
  }

  /** A name's secret, which is made where there is none. */
  secretOf(name: string): Promise<string> {
    const secret = this.#secrets.get(name) ?? addClient(this.router, name);
    this.#secrets.set(name, secret);
    return secret;
  }

  /** The next time that a name is asked for, it gets a new secret: its old one was taken away. */
  forget(name: string): void {
    this.#secrets.delete(name);
  }

  async connect(name: string, options?: Partial<ConnectOptions>): Promise<Client> {
    return await connect(this.router.url, { name, secret: await this.secretOf(name), ...options });
  }

  /** A request to the admin API, with the token unless another is given. */
  async admin(method: string, path: string, body?: string, token = this.router.adminToken): Promise<Response> {
    const url = new URL(`/admin/v1/realms/${path}`, this.router.url.href.replace(/^ws/, "http"));
    return await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body }),
    });
  }

  async start(options: RouterOptions): Promise<void> {
    this.#router = await startRouter(options);
    const watched = (name: string): Promise<Client> =>
      this.connect(name, {
        onStatus: ({ kind }) => {
          if (kind === "offline" || kind === "resumed") this.#losses.push(`${name}: ${kind}`);
        },
      });
    this.#clients = await Promise.all([watched("alice"), watched("bob")]);
    const [alice, bob] = this.#clients;
    bob.handle("echo", async (connection) => {
      for await (const message of connection) await connection.send(message);
    });
    this.#bystander = await alice.open("bob", "echo");
  }

  /** The bystanders' Connection carries a message and its echo, and neither has ever lost anything. */
  async expectUnharmed(): Promise<void> {
    const message = randomBytes(8).toString("hex");
    // Or each test after one that harmed them would wait in vain for as long as it may.
    const signal = AbortSignal.timeout(patienceMs);
    await this.#bystander?.send(message, { signal });
    expect(await this.#bystander?.receive({ signal })).toBe(message);
    expect(this.#losses).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients?.map((client) => client.close()) ?? []);
    await this.#router?.[Symbol.asyncDispose]();
  }
}

/** Victims for a test file, which are asked after each of its attacks. */
export function underAttack(options: () => RouterOptions | Promise<RouterOptions> = () => ({})): Victims {
  const victims = new Victims();
  beforeAll(async () => {
    await victims.start(await options());
  });
  afterEach(async () => {
    await victims.expectUnharmed();
  });
  afterAll(async () => {
    await victims[Symbol.asyncDispose]();
  });
  return victims;
}
