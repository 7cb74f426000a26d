import { type Client, connect, type NodeConnectOptions } from "messagepasser";
import { afterAll, beforeAll } from "vitest";
import { addClient } from "../../scripts/admin-client.ts";
import { type Router, startRouter } from "../../scripts/router.ts";

/** A router of its own for a test file, and clients that end with their test. */
export interface Realm extends AsyncDisposable {
  readonly router: Router;
  /** A client with a new secret. */
  connect(name: string, options?: Partial<NodeConnectOptions>): Promise<Client>;
  secretOf(name: string): Promise<string>;
}

export async function startRealm(): Promise<Realm> {
  const router = await startRouter();
  const secrets = new Map<string, Promise<string>>();
  const secretOf = (name: string): Promise<string> => {
    const secret = secrets.get(name) ?? addClient(router, name);
    secrets.set(name, secret);
    return secret;
  };
  return {
    router,
    secretOf,
    connect: async (name, options) => await connect(router.url, { name, secret: await secretOf(name), ...options }),
    [Symbol.asyncDispose]: () => router[Symbol.asyncDispose](),
  };
}

/** A realm and a client of it, which are there for all tests of a file. */
export function sharedRealm(): { realm: Realm; alice: Client } {
  // Filled before the first test.
  const shared = {} as { realm: Realm; alice: Client };
  beforeAll(async () => {
    shared.realm = await startRealm();
    shared.alice = await shared.realm.connect("alice");
  });
  afterAll(async () => {
    await shared.alice.close();
    await shared.realm[Symbol.asyncDispose]();
  });
  return shared;
}

/** The reason that a promise rejects with; fails if it doesn't. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) throw new Error("It did not fail");
  return outcome.error;
}
