import { join } from "node:path";
import { expect, test } from "vitest";
import { bundledWorker } from "../../scripts/router.ts";
import { guessedSecret, invite } from "./forge.ts";
import { attemptAs } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

// Somebody writes to KV, or KV is damaged. test/workerd/kv.test.ts has the rest: that KV lags, fails or lacks a record.

const victims = underAttack(async () => ({
  worker: await bundledWorker(join(import.meta.dirname, "records-worker.mjs")),
}));
let lastName = 0;

const status = async (name: string, secret: string): Promise<number> =>
  (await attemptAs(victims.router.url, name, secret)).status;

/** A client with a secret that is over and one that stands. */
async function rotated(): Promise<{ name: string; old: string; secret: string }> {
  const name = `client-${++lastName}`;
  const old = await victims.secretOf(name);
  const response = await victims.admin("POST", `default/clients/${name}/rotate`);
  const { secret } = (await response.json()) as { secret: string };
  return { name, old, secret };
}

async function write(name: string, record: string | Uint8Array<ArrayBuffer> | undefined): Promise<void> {
  const url = new URL("/test/records", victims.router.url.href.replace(/^ws/, "http"));
  url.searchParams.set("key", `credential:default:${name}`);
  const request = record === undefined ? { method: "DELETE" } : { method: "PUT", body: record };
  expect((await fetch(url, request)).ok).toBe(true);
}

test.for<[string, string | Uint8Array<ArrayBuffer> | undefined]>([
  ["that is gone", undefined],
  ["that is empty", ""],
  ["of random bytes", new Uint8Array([0xff, 0xfe, 0, 1, 0x80])],
  ["that is cut off", '{"version":1,"leastRev'],
  ["that is null", "null"],
  ["that is a list", "[1,2]"],
  ["that is a text", '"version"'],
  ["of a later version", '{"version":2,"leastRevision":1000000}'],
  ["of a version that is a text", '{"version":"1","leastRevision":1000000}'],
  ["of before the rotation", '{"version":1,"leastRevision":1}'],
  ["of less than nothing", '{"version":1,"leastRevision":-1}'],
  ["whose revision is no number", '{"version":1,"leastRevision":{"valueOf":2}}'],
  ["that names other fields", '{"version":1,"leastRevision":0,"name":"alice","realm":"den","secrets":["x"]}'],
  ["with a prototype", '{"version":1,"leastRevision":0,"__proto__":{"version":2}}'],
  ["that is very large", `{"version":1,"leastRevision":0,"x":"${"x".repeat(1_000_000)}"}`],
  ["that is very deep", "[".repeat(100_000)],
])("a record %s lets in exactly the clients that may come in", async ([, record]) => {
  const { name, old, secret } = await rotated();
  const text = invite(name, old, { uses: 9 });
  await write(name, record);
  expect(await status(name, secret)).toBe(101);
  for (const guess of [old, guessedSecret(), guessedSecret(2)]) expect(await status(name, guess)).toBe(401);
  expect(await status(`${name}/guest`, text)).toBe(401);
  expect(await status(`${name}/guest`, invite(name, secret))).toBe(101);
});

test("a record that says too much keeps its client out, at worst, until its next change", async () => {
  const { name, old, secret } = await rotated();
  await write(name, '{"version":1,"leastRevision":1e300}');
  expect([await status(name, secret), await status(name, old)]).toEqual([401, 401]);
  const response = await victims.admin("POST", `default/clients/${name}/rotate`);
  expect(await status(name, ((await response.json()) as { secret: string }).secret)).toBe(101);
});

test("a record for a name that no client has makes no client of it", async () => {
  await write("nobody", '{"version":1,"leastRevision":0}');
  expect(await status("nobody", guessedSecret())).toBe(401);
  await write("nobody", undefined);
});
