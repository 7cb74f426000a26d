import { routerLimits } from "@messagepasser/protocol";
import { isMoved, type Moved } from "../realm/admission.ts";
import { homeOf } from "../shards/home.ts";

/** How many shards realms have, of those that have several, as this Worker was told. */
const counts = new Map<string, number>();

/** The objects of a realm can't answer yet. */
export class AskedInVain extends Error {
  override readonly name = "AskedInVain";
}

/**
 * Asks objects of a realm by how many shards it has. Where this Worker is wrong about that, an object says so: the objects
 * are the truth.
 *
 * @param ask with this many shards
 */
export async function askShards<Answer>(
  realm: string,
  ask: (count: number) => Promise<Answer | Moved>,
): Promise<Answer> {
  let waitMs: number = routerLimits.firstMovingWaitMs;
  for (let asks = 0; asks < routerLimits.maxHomeAsks; asks++) {
    const answer = await ask(counts.get(realm) ?? 1);
    if (!isMoved(answer)) return answer;
    noteCount(realm, answer.shards);
    if (answer.isMoving !== true) continue;
    await new Promise((resolve) => {
      setTimeout(resolve, waitMs);
    });
    waitMs *= 2;
  }
  throw new AskedInVain("The objects of a realm disagree about the number of its shards, or a client is moving");
}

/** Asks the object that is the home of a name. */
export async function askHome<Answer>(
  realm: string,
  name: string,
  ask: (shard: number, shards: number) => Promise<Answer | Moved>,
): Promise<Answer> {
  return await askShards(realm, async (count) => await ask(homeOf(name, count), count));
}

function noteCount(realm: string, count: number): void {
  counts.delete(realm);
  if (count === 1) return;
  if (counts.size >= routerLimits.maxRealmsWithKeys) counts.clear();
  counts.set(realm, count);
}
