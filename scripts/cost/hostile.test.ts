import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hostileUsdPerHour } from "./hostile.ts";

const root = join(import.meta.dirname, "..", "..");
const rows = readFileSync(join(root, "SECURITY.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.split("|").map((cell) => cell.trim()));

test("SECURITY.md says what hostile strangers, clients and administrators can cost in an hour", () => {
  const inPage = rows.filter((cells) => /^\d/.test(cells[4] ?? "")).map(([, , what = "", , usd]) => [what, usd]);
  expect(Object.fromEntries(inPage)).toEqual(hostileUsdPerHour);
});

test("SECURITY.md names tests that exist", () => {
  const paths = rows.flatMap((cells) =>
    Array.from((cells[5] ?? "").matchAll(/`([^`]+\.test\.ts)`/g), ([, path]) => path),
  );
  expect(paths.length).toBeGreaterThan(20);
  for (const path of paths) expect(() => readFileSync(join(root, path ?? ""))).not.toThrow();
});
