import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { setShards } from "../../../scripts/admin-client.ts";
import { nameOn } from "../../support/shard-names.ts";
import { type Realm, startRealm } from "../realm.ts";
import type { Talk, Talker } from "./talk.ts";
import { formatNames, talkers } from "./talkers.ts";

let realm: Realm;

beforeAll(async () => {
  realm = await startRealm();
  await setShards(realm.router, 2);
});

afterAll(async () => {
  await realm[Symbol.asyncDispose]();
});

async function exchange([here, there]: readonly [Talk, Talk]): Promise<void> {
  for (const [from, to] of [
    [here, there],
    [there, here],
  ] as const) {
    // More than a frame may have: a client of the original's wire may get pieces of it.
    const sent = new Uint8Array(randomBytes(100_000));
    const sending = from.send(sent);
    const parts: Uint8Array[] = [];
    for (let bytes = 0; bytes < sent.length;) {
      const part = (await to.receive()) as Uint8Array;
      parts.push(part);
      bytes += part.length;
    }
    expect(Buffer.compare(Buffer.concat(parts), sent)).toBe(0);
    await sending;
  }
}

test("clients of all formats talk with clients of all formats on another shard, also after both objects hibernated", async () => {
  const all = async (shard: number): Promise<Talker[]> =>
    await Promise.all(formatNames.map((format) => talkers[format](realm, nameOn(shard, `${format} `, 2))));
  const [one, other] = await Promise.all([all(0), all(1)]);
  const ways = [
    [one, other],
    [other, one],
  ] as const;
  const pairs = ways.flatMap(([openers, acceptors]) => openers.flatMap((from) => acceptors.map((to) => [from, to])));
  const talks = await Promise.all(
    pairs.map(async ([from, to], at): Promise<[Talk, Talk]> => {
      if (from === undefined || to === undefined) throw new Error("No pair");
      const [here, there] = await Promise.all([from.open(to.name, `test ${at}`), to.accept(`test ${at}`)]);
      return [here, there];
    }),
  );
  await Promise.all(talks.map(exchange));
  for (const shard of [0, 1]) await realm.router.evict("hibernate", shard);
  await Promise.all(talks.map(exchange));
  for (const [here, there] of talks) {
    await here.close();
    expect(await there.receive()).toBeUndefined();
    await there.close();
    expect([await here.ended, await there.ended]).toEqual(["closed", "closed"]);
  }
  for (const talker of one) await expect(talker.open(nameOn(1, "nobody", 2), "test")).rejects.toThrow("peer-absent");
  for (const talker of [...one, ...other]) await talker[Symbol.asyncDispose]();
});
