import { routerLimits } from "@messagepasser/protocol";
import type { Moved } from "../realm/admission.ts";
import { homeOf } from "../shards/home.ts";
import { objectNameOf } from "../shards/object-name.ts";

/** How many shards realms have, of those that have several, as this Worker was told. */
const counts = new Map<string, number>();

/**
 * Asks the object that is the home of a name. Where this Worker is wrong about the number of shards, the object that it
 * asks says so: the objects are the truth.
 */
export async function askHome<Answer>(
  realm: string,
  name: string,
  ask: (objectName: string, shards: number) => Promise<Answer | Moved>,
): Promise<Answer> {
  let count = counts.get(realm) ?? 1;
  for (let attempt = 0; ; attempt++) {
    const answer = await ask(objectNameOf(realm, homeOf(name, count)), count);
    if (!isMoved(answer)) return answer;
    if (attempt === 2) throw new Error("The objects of a realm disagree about the number of its shards");
    // An object that knows of no others may not be one of them any more: the first knows.
    count = answer.shards;
    noteCount(realm, count);
  }
}

function noteCount(realm: string, count: number): void {
  counts.delete(realm);
  if (count === 1) return;
  if (counts.size >= routerLimits.maxRealmsWithKeys) counts.clear();
  counts.set(realm, count);
}

function isMoved(answer: unknown): answer is Moved {
  return answer instanceof Object && !(answer instanceof Response) && "shards" in answer;
}
