import type { Env } from "../env.ts";
import type { RealmDirectory } from "../realm/realm-admin.ts";

// The runtime makes an object, and a file for it, for any name that is asked for. So the object of a realm is asked only
// once the realm exists: once it has had a client or rules.

/** The name of the object that knows all realms. No realm can have it. */
const directoryName = ".realms";

/** Whether a realm exists. */
export async function realmExists(env: Env, realm: string): Promise<boolean> {
  const directory = directoryOf(env);
  if (await directory.knowsRealm(realm)) return true;
  // A realm from before there was a directory.
  const { keys } = await env.CREDENTIALS.list({ prefix: `credential:${realm}:`, limit: 1 });
  if (keys.length === 0) return false;
  await directory.noteRealm(realm);
  return true;
}

/** Makes a realm, which may exist already. */
export async function makeRealm(env: Env, realm: string): Promise<void> {
  await directoryOf(env).noteRealm(realm);
}

function directoryOf(env: Env): RealmDirectory {
  // The types of RPC don't know the object's methods.
  return env.ROUTER.getByName(directoryName) as unknown as RealmDirectory;
}
