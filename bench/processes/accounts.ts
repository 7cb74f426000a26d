import { addClient } from "../../scripts/admin-client.ts";
import type { Router } from "../../scripts/router.ts";

/** A client that a router knows. */
export interface Account {
  readonly name: string;
  readonly secret: string;
}

const atOnce = 16;

/** Adds this many clients to a router. */
export async function addClients(router: Router, count: number): Promise<Account[]> {
  const rest = trustedAccounts(count).values();
  const accounts: Account[] = [];
  const addRest = async (): Promise<void> => {
    for (const { name } of rest) accounts.push({ name, secret: await addClient(router, name) });
  };
  await Promise.all(Array.from({ length: atOnce }, addRest));
  return accounts;
}

/** This many clients of a router that believes every client. */
export function trustedAccounts(count: number): Account[] {
  return Array.from({ length: count }, (_, at) => ({ name: `client-${at}`, secret: "any" }));
}
