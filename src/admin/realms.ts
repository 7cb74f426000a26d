import type { Env } from "../env.ts";
import type { DirectoryObject } from "../realm/realm-admin.ts";

// The runtime makes an object, and a file for it, for any name that is asked for. So the object of a realm is asked only
// once the realm exists: once it has had a client, rules, or a link.

/** The name of the object that knows all realms. No realm can have it. */
const directoryName = ".realms";

/** Whether a realm exists. */
export async function realmExists(env: Env, realm: string): Promise<boolean> {
  return await directoryOf(env).knowsRealm(realm);
}

/** Makes a realm, which may exist already. */
export async function makeRealm(env: Env, realm: string): Promise<void> {
  await directoryOf(env).noteRealm(realm);
}

function directoryOf(env: Env): DirectoryObject {
  // The types of RPC don't know the object's methods.
  return env.ROUTER.getByName(directoryName) as unknown as DirectoryObject;
}
