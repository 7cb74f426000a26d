import { expect, test } from "vitest";
import type { Moved } from "../realm/admission.ts";
import { homeOf } from "../shards/home.ts";
import { objectNameOf } from "../shards/object-name.ts";
import { askHome } from "./shard-counts.ts";

/** Asks as a Worker does. @param count how many shards each object knows of @returns the objects that were asked */
async function asked(realm: string, name: string, count: number | ((objectName: string) => number)): Promise<string[]> {
  const objects: string[] = [];
  const there = await askHome<"here">(realm, name, async (shard, shards): Promise<"here" | Moved> => {
    const objectName = objectNameOf(realm, shard);
    objects.push(objectName);
    const known = typeof count === "number" ? count : count(objectName);
    const isHome = shards === known && objectName === objectNameOf(realm, homeOf(name, known));
    return await Promise.resolve(isHome ? "here" : { shards: known });
  });
  expect(there).toBe("here");
  return objects;
}

const name = Array.from({ length: 100 }, (_, at) => `client${at}`).find((each) => homeOf(each, 4) === 3) ?? "";

test("a Worker that knows nothing asks the first shard, and then the home at once", async () => {
  expect(await asked("fresh", name, 4)).toEqual(["fresh", "fresh#3"]);
  expect(await asked("fresh", name, 4)).toEqual(["fresh#3"]);
});

test("a Worker that remembers another number of shards is told the right one by whatever object it asks", async () => {
  await asked("grown", name, 2);
  const before = objectNameOf("grown", homeOf(name, 2));
  expect(await asked("grown", name, 4)).toEqual([before, "grown#3"]);
  // Objects don't forget shards. A Worker that was told a wrong number finds back all the same.
  expect(await asked("grown", name, 1)).toEqual(["grown#3", "grown"]);
});

test("a Worker gives up where the objects of a realm don't agree: its client is asked to come again", async () => {
  const disagreeing = asked("torn", name, (objectName) => (objectName === "torn" ? 4 : 1));
  await expect(disagreeing).rejects.toThrow("disagree about the number of its shards");
});
