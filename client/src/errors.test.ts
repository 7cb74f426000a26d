import { readFileSync } from "node:fs";
import { closeCodes, errorCodes, isRetryable, type Kebab, kebab } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import {
  connectionCode,
  ConnectionError,
  connectionRetries,
  type LinkError,
  linkErrorOf,
  type LinkErrorCode,
} from "./errors.ts";

const where = { peer: "bob", protocol: "files" };
const closedWith = (closeCode: number): LinkError => linkErrorOf({ closeCode, reason: "" }, "Lost the link", true);

/** The client's codes of a link are those of the protocol, and four of its own: or this doesn't compile. */
type ProtocolCode = Kebab<keyof typeof closeCodes> | "unreachable" | "no-secret" | "link-lost" | "closed";
const isSame: [LinkErrorCode, ProtocolCode] extends [ProtocolCode, LinkErrorCode] ? true : false = true;

test("README.md lists each code of an error with its class and whether to retry", () => {
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const rows = Array.from(
    readme.matchAll(/^\| `([a-z-]+)` +\| (LinkError|ConnectionError|both) +\| (yes|no) /gm),
    ([, code = "", kind, retry]) => ({ code, kind, mayRetry: retry === "yes" }),
  );
  const listed = (other: string): Record<string, boolean> =>
    Object.fromEntries(rows.filter(({ kind }) => kind !== other).map(({ code, mayRetry }) => [code, mayRetry]));
  const closed = Object.entries(closeCodes).map(([name, code]) => [kebab(name), isRetryable(code)]);
  const own = { unreachable: true, "no-secret": true, "link-lost": true, closed: false };
  expect(listed("ConnectionError")).toEqual({ ...Object.fromEntries(closed), ...own });
  expect(listed("LinkError")).toEqual(connectionRetries);
});

test("a link that the router closed is worth another attempt if the close code says so", () => {
  for (const [name, code] of Object.entries(closeCodes))
    expect(closedWith(code)).toMatchObject({ code: kebab(name), message: expect.stringContaining(String(code)) });
  const codes = [...Object.values(closeCodes), 1006, 4321, 4876];
  expect(codes.map((code) => closedWith(code).shouldRetry())).toEqual(codes.map(isRetryable));
});

test("the codes of a link are the protocol's and three of the client's own", () => {
  expect(isSame).toBe(true);
});

test("a close code that this version doesn't know is a lost link, or an unreachable router before the welcome", () => {
  expect(closedWith(4321).code).toBe("link-lost");
  expect(linkErrorOf({ closeCode: 4321, reason: "" }, "Cannot connect", false).code).toBe("unreachable");
});

test("a program sees each code of a Connection by its name, and a code without a name by its number", () => {
  const { peerReplaced, graceExpired, ...others } = errorCodes;
  for (const [name, code] of Object.entries(others)) expect(connectionCode(code)).toBe(kebab(name));
  expect([connectionCode(peerReplaced), connectionCode(graceExpired)]).toEqual(["peer-gone", "peer-gone"]);
  expect(connectionCode(4_711)).toBe("code-4711");
  expect(new ConnectionError("code-4711", "Ended", where).shouldRetry()).toBe(false);
});
