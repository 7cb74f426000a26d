import { readFileSync } from "node:fs";
import { errorCodes, kebab, nameOfCode, problemStatuses } from "@messagepasser/protocol";
import { errorCodeNamed } from "@messagepasser/protocol/formats";
import { expect, test } from "vitest";

test("each error code is found by its number and by its name in kebab-case", () => {
  for (const [name, code] of Object.entries(errorCodes)) {
    expect(nameOfCode(errorCodes, code)).toBe(name);
    expect(errorCodeNamed(kebab(name))).toBe(code);
  }
  expect([kebab("messageTooLarge"), kebab("busy")]).toEqual(["message-too-large", "busy"]);
});

test.for(["peerAbsent", "Busy", "no-such-code", "", "to-string"])("no error code has the name %s", (name) => {
  expect(errorCodeNamed(name)).toBeUndefined();
});

test("ADMIN.md and PROTOCOL.md list each problem of the router with its HTTP status", () => {
  const pages = ["ADMIN.md", "PROTOCOL.md"].map((name) => readFileSync(`${import.meta.dirname}/../../${name}`, "utf8"));
  const rows = pages.join("\n").matchAll(/^\| ([45]\d\d) +\| `([a-z-]+)` +\|/gm);
  const listed = new Map(Array.from(rows, ([, status, code]) => [code, Number(status)]));
  expect(Object.fromEntries(listed)).toEqual(problemStatuses);
});
