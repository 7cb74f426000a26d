import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { routerLimits } from "@messagepasser/protocol";
import { expect, onTestFinished, test, vi } from "vitest";
import { type JwksRuntime, KeySets } from "./jwks.ts";

const { setAnswerMs, setFreshMs, setLifeMs, setPauseMs, maxSetKeys, maxSetLength } = routerLimits;
const url = "https://login.example.com/jwks.json";

function jwkOf(kid: string, key: KeyObject = generateKeyPairSync("ed25519").publicKey): object {
  return { ...key.export({ format: "jwk" }), kid };
}

/** A server of keys, a KV and a clock, all of them in the test's hands. */
class World implements JwksRuntime {
  answer: () => Response | Promise<Response> = () => Response.json({ keys: [] });
  requests = 0;
  reads = 0;
  nowMs = 1_000_000_000_000;
  readonly stored = new Map<string, string>();
  readonly background: Promise<unknown>[] = [];
  readonly kv = {
    get: (key: string) => {
      this.reads++;
      return Promise.resolve(JSON.parse(this.stored.get(key) ?? "null") as unknown);
    },
    put: (key: string, value: string) => Promise.resolve(void this.stored.set(key, value)),
  };

  async fetch(): Promise<Response> {
    this.requests++;
    return await this.answer();
  }

  waitUntil(promise: Promise<unknown>): void {
    this.background.push(promise);
  }

  now(): number {
    return this.nowMs;
  }

  has(...keys: readonly unknown[]): void {
    this.answer = () => Response.json({ keys });
  }
}

function quiet(): void {
  const spy = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  onTestFinished(() => spy.mockRestore());
}

const find = (sets: KeySets, world: World, kid?: string) => sets.find({ id: "home:shop:1", url, kid }, world);

test("a set is asked for once for all its tokens, by the next Worker not at all, and a key is found by its id", async () => {
  const [sets, world] = [new KeySets(), new World()];
  world.has(jwkOf("a"), jwkOf("b", generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey));
  expect(await find(sets, world, "a")).toMatchObject({ key: { algorithm: "EdDSA" } });
  expect(await find(sets, world, "b")).toMatchObject({ key: { algorithm: "ES256" } });
  expect(await find(new KeySets(), world, "a")).toMatchObject({ key: { algorithm: "EdDSA" } });
  expect(world.requests).toBe(1);
});

test("a Worker reads a set from KV once, whatever keys tokens name", async () => {
  const world = new World();
  world.has(jwkOf("a"));
  await find(new KeySets(), world, "a");
  const sets = new KeySets();
  world.reads = 0;
  for (const kid of ["a", "x", "a", "y", undefined]) await find(sets, world, kid);
  expect([world.reads, world.requests]).toEqual([1, 1]);
});

test("tokens that come while a Worker reads a set from KV have it asked for once", async () => {
  const [sets, world] = [new KeySets(), new World()];
  world.has(jwkOf("a"));
  expect(await Promise.all(["a", "a", "a"].map((kid) => find(sets, world, kid)))).toContainEqual({
    key: expect.objectContaining({ algorithm: "EdDSA" }) as object,
  });
  expect(world.requests).toBe(1);
});

test("tokens that name unknown keys, or none, have a set asked for once a minute, however many they are", async () => {
  quiet();
  const [sets, world] = [new KeySets(), new World()];
  world.has(jwkOf("a"), jwkOf("b"));
  expect(await find(sets, world, "x")).toBe("none");
  for (let count = 0; count < 100; count++) expect(await find(sets, world, `x${count}`)).toBe("unknown");
  expect(await find(sets, world)).toBe("unknown");
  expect(await find(sets, world, "a")).toMatchObject({ key: {} });
  expect(world.requests).toBe(1);
  world.nowMs += setPauseMs;
  world.has(jwkOf("b"), jwkOf("c"));
  const answers = await Promise.all(["c", "x", "y"].map((kid) => find(sets, world, kid)));
  expect(answers).toEqual([expect.objectContaining({ key: expect.anything() }), "unknown", "unknown"]);
  expect(world.requests).toBe(2);
  // The set has rotated: its old key isn't taken any more.
  expect(await find(sets, world, "a")).toBe("unknown");
});

test("a set that hangs holds up only the token that asks for it, and that one for a few seconds", async () => {
  quiet();
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const timeout = vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), ms);
    return controller.signal;
  });
  onTestFinished(() => timeout.mockRestore());
  const [sets, world] = [new KeySets(), new World()];
  world.answer = () =>
    new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) }));
  const first = find(sets, world, "a");
  await vi.advanceTimersByTimeAsync(setAnswerMs - 1);
  expect(await find(sets, world, "a")).toBe("unknown");
  await vi.advanceTimersByTimeAsync(1);
  expect(await first).toBe("unknown");
  expect(world.requests).toBe(1);
});

test("the last good keys of a set are taken for a day while it fails, and known keys never wait", async () => {
  quiet();
  const [sets, world] = [new KeySets(), new World()];
  world.has(jwkOf("a"));
  await find(sets, world, "a");
  world.answer = () => new Promise<Response>(() => undefined);
  world.nowMs += setFreshMs;
  const before = world.background.length;
  expect(await find(sets, world, "a")).toMatchObject({ key: {} });
  expect(world.background).toHaveLength(before + 1);
  expect(world.requests).toBe(2);
  world.answer = () => new Response("rubbish");
  world.nowMs += setLifeMs - setFreshMs - 1;
  expect(await find(sets, world, "a")).toMatchObject({ key: {} });
  await Promise.all(world.background.slice(before + 1));
  world.nowMs += setPauseMs;
  expect(await find(sets, world, "a")).toBe("unknown");
  world.nowMs += setPauseMs;
  world.has(jwkOf("a"));
  expect(await find(sets, world, "a")).toMatchObject({ key: {} });
});

test.each<[string, () => Response]>([
  ["isn't JSON", () => new Response("<html>")],
  ["is null", () => Response.json(null)],
  ["has no list of keys", () => Response.json({ keys: {} })],
  [
    "has secret and private keys only",
    () => {
      const { privateKey } = generateKeyPairSync("ed25519");
      return Response.json({
        keys: [privateKey.export({ format: "jwk" }), { kty: "oct", k: "A".repeat(43) }, 7, null],
      });
    },
  ],
  [
    "has a short RSA key",
    () => {
      const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1_024 });
      return Response.json({ keys: [jwkOf("a", publicKey)] });
    },
  ],
  ["has keys for encryption", () => Response.json({ keys: [{ ...jwkOf("a"), use: "enc" }] })],
  ["is too long", () => new Response(`{"keys":[],"x":"${"x".repeat(maxSetLength)}"}`)],
  [
    "has the key after too many others",
    () => Response.json({ keys: [...Array<number>(maxSetKeys).fill(7), jwkOf("a")] }),
  ],
  ["is a redirect", () => new Response(null, { status: 302, headers: { location: url } })],
  ["is an error", () => Response.json({ keys: [jwkOf("a")] }, { status: 500 })],
])("a set that %s gives no key, and doesn't fail", async (_what, answer) => {
  quiet();
  const [sets, world] = [new KeySets(), new World()];
  world.answer = answer;
  expect(await find(sets, world, "a")).toBe("unknown");
});
