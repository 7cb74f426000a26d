import { expect, test } from "vitest";
import { closings, ofHolders } from "./closings.ts";

test("holders whose links end together are told to come back as slowly as those of one key may, and one alone at once", () => {
  expect(ofHolders(closings.tokenExpired, 1)).toEqual(closings.tokenExpired);
  expect(ofHolders(closings.tokenExpired, 400)).toEqual({ ...closings.tokenExpired, delayMs: 997 });
  expect(ofHolders(closings.tokenRevoked, 10_000).delayMs).toBe(24_997);
});
