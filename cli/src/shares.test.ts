import { expect, test } from "vitest";
import { Shares } from "./shares.ts";

/** Takes places until there is none. Returns how many there were. */
function takeAll(shares: Shares, peer: string): number {
  let taken = 0;
  while (shares.take(peer) === undefined) taken++;
  return taken;
}

test("each peer gets at most half of what the others leave, and everybody a first one while there is room", () => {
  const shares = new Shares(100);
  expect(["a", "b", "c", "d", "e", "f", "g", "h"].map((peer) => takeAll(shares, peer))).toEqual([
    50, 25, 12, 6, 3, 2, 1, 1,
  ]);
  expect(shares.take("i")).toBe("Too many commands are running");
});

test("guests count as the client that invited them", () => {
  const shares = new Shares(100);
  expect(takeAll(shares, "eve/1") + takeAll(shares, "eve/2") + takeAll(shares, "eve")).toBe(50);
  expect(shares.take("eve/3")).toBe("Too many of your commands are running");
  expect(shares.take("evelyn")).toBeUndefined();
});

test("places that are given back can be taken again, also by others", () => {
  const shares = new Shares(4);
  expect([takeAll(shares, "a"), takeAll(shares, "b"), takeAll(shares, "c"), takeAll(shares, "d")]).toEqual([
    2, 1, 1, 0,
  ]);
  shares.giveBack("a");
  shares.giveBack("a");
  expect([takeAll(shares, "d"), takeAll(shares, "a")]).toEqual([1, 1]);
});

test("a single place goes to whoever comes first", () => {
  const shares = new Shares(1);
  expect([takeAll(shares, "a"), takeAll(shares, "b")]).toEqual([1, 0]);
  shares.giveBack("a");
  expect(takeAll(shares, "b")).toBe(1);
});
