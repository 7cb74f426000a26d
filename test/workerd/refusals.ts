import { mintSecret } from "../../src/credentials/secret.ts";
import { pepper, Realm } from "./realm.ts";

interface Credentials {
  readonly name: string;
  readonly secret: string;
}

/** Ways to be refused that no answer may tell apart. The realm has a client "alice". */
const refused: Record<string, (realm: Realm) => Promise<Credentials>> = {
  "a wrong secret": () => Promise.resolve({ name: "alice", secret: "mp_letmein" }),
  "nothing but a beginning": () => Promise.resolve({ name: "alice", secret: "mp_" }),
  "a secret of the right form": () => Promise.resolve({ name: "alice", secret: `mp_${"A".repeat(108)}` }),
  "a secret made with another pepper": ({ name }) =>
    Promise.resolve({ name: "alice", secret: mintSecret("another", name, "alice", 1).text }),
  "a name that nobody has, though this router made the secret": ({ name }) =>
    Promise.resolve({ name: "nobody", secret: mintSecret(pepper, name, "nobody", 1).text }),
  "a secret that this router made and forgot": ({ name }) =>
    Promise.resolve({ name: "alice", secret: mintSecret(pepper, name, "alice", 1).text }),
  "the secret of another": async (realm) => ({ name: "alice", secret: (await realm.add("mallory")).secret }),
  "a secret of another realm": async () => ({ name: "alice", secret: (await new Realm().add("alice")).secret }),
  "a secret from before the rotation": async (realm) => {
    const { secret } = await realm.add("rotated");
    await realm.rotate("rotated");
    return { name: "rotated", secret };
  },
  "a revoked secret": async (realm) => {
    const { secret } = await realm.add("revoked");
    await realm.revoke("revoked");
    return { name: "revoked", secret };
  },
  "a secret from before the name was made again": async (realm) => {
    const { secret } = await realm.add("again");
    await realm.revoke("again");
    await realm.add("again");
    return { name: "again", secret };
  },
};

/** The keys of the table above. */
export const refusals = Object.keys(refused);

/** A realm of its own with credentials that it refuses. */
export async function refusedBy(kind: string): Promise<Credentials & { path: string }> {
  const own = new Realm();
  await own.add("alice");
  const make = refused[kind];
  if (make === undefined) throw new Error(`No such kind: ${kind}`);
  return { path: `/connect/${own.name}`, ...(await make(own)) };
}
