import fc from "fast-check";
import { expect, test } from "vitest";
import { homeOf, placeOf } from "./home.ts";

test("the home of a name is the same in every version of the router", () => {
  const names = ["alice", "bob", "soak-1", "büro", "亀", "team/alice", "team", "a/b/c", "+shop/ann", "+shop/ann/phone"];
  expect(names.map((name) => [name, homeOf(name, 64), homeOf(name, 5)])).toMatchInlineSnapshot(`
    [
      [
        "alice",
        30,
        2,
      ],
      [
        "bob",
        22,
        2,
      ],
      [
        "soak-1",
        2,
        2,
      ],
      [
        "büro",
        15,
        3,
      ],
      [
        "亀",
        39,
        3,
      ],
      [
        "team/alice",
        60,
        4,
      ],
      [
        "team",
        60,
        4,
      ],
      [
        "a/b/c",
        51,
        3,
      ],
      [
        "+shop/ann",
        43,
        3,
      ],
      [
        "+shop/ann/phone",
        43,
        3,
      ],
    ]
  `);
});

test("names that belong together have one home", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.integer({ min: 1, max: 64 }), (start, rest, count) => {
      const name = start.replaceAll("/", "").replace(/^\+*/, "");
      expect(homeOf(`${name}/${rest}`, count)).toBe(homeOf(name, count));
    }),
  );
});

test("the holders of one key's tokens are spread over the shards, each with all its devices", () => {
  const places = ["+shop/ann", "+shop/ann/phone", "+shop/ann/", "+shop/", "+shop", "+"].map(placeOf);
  expect(places).toEqual(["+shop/ann", "+shop/ann", "+shop/ann", "+shop/", "+shop", "+"]);
  const homes = new Set(Array.from({ length: 100 }, (_, at) => homeOf(`+shop/user-${at}`, 4)));
  expect(homes).toEqual(new Set([0, 1, 2, 3]));
});

test("one shard more takes names from one other shard only", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 1_022 }), (name, count) => {
      const [before, after] = [homeOf(name, count), homeOf(name, count + 1)];
      expect(before).toBeLessThan(count);
      if (after === before) return;
      expect(after).toBe(count);
      expect(before).toBe(count - 2 ** Math.floor(Math.log2(count)));
    }),
  );
});

test.each([2, 3, 4, 6, 64])("names are spread over %d shards", (count) => {
  const clients = Array.from({ length: count }, () => 0);
  for (let at = 0; at < 1_000 * count; at++) {
    const home = homeOf(`client-${at}`, count);
    clients[home] = (clients[home] ?? 0) + 1;
  }
  // With a number of shards that is no power of two, some have not been split yet.
  const half = (1_000 * count) / 2 ** Math.ceil(Math.log2(count));
  expect(Math.min(...clients)).toBeGreaterThan(0.8 * half);
  expect(Math.max(...clients)).toBeLessThan(1.2 * 2 * half);
});
