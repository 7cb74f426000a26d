import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { holderName, keyIdOf } from "./holders.ts";
import { limits, routerLimits } from "./limits.ts";
import { defaultRealm, nameProblem, newNameProblem, protocolProblem, realmProblem } from "./names.ts";

// vectors/names.json has the cases that any client can read. Here is what JSON can't carry or what goes by the limits.

const texts = [
  { what: "a client's name", problemOf: nameProblem, maxBytes: limits.maxNameBytes },
  { what: "a protocol's name", problemOf: protocolProblem, maxBytes: limits.maxProtocolBytes },
];

describe.for(texts)("$what", ({ what, problemOf, maxBytes }) => {
  const tooLong = `must have at most ${maxBytes} bytes`;

  test.for([
    { width: 1, character: "a" },
    { width: 2, character: "\u00e9" },
    { width: 3, character: "\u6771" },
    { width: 4, character: "\u{1f600}" },
  ])(`${what} may fill its bytes with characters of $width bytes, and not go one past them`, ({ width, character }) => {
    const full = character.repeat(Math.floor(maxBytes / width)) + "a".repeat(maxBytes % width);
    expect(problemOf(full)).toBeUndefined();
    expect(problemOf(`${full}a`)).toBe(tooLong);
    expect(problemOf(full + character)).toBe(tooLong);
  });

  test(`${what} that is huge is refused by its length alone, before its characters are read`, () => {
    expect(problemOf("\0".repeat(50_000_000))).toBe(tooLong);
  });

  test.for(["\ud800", "\udc00", "a\ud800b", "\udc00\ud800", "a\ud83d"])(
    `${what} has no lone surrogate: case %#`,
    (name) => {
      expect(problemOf(name)).toBe("must be well-formed Unicode");
    },
  );

  test(`${what} has no control character anywhere`, () => {
    const controls = Array.from({ length: 0xa0 }, (_, code) => code).filter((code) => code < 0x20 || code >= 0x7f);
    expect(controls).toHaveLength(65);
    for (const code of [...controls, 0x2028, 0x2029]) {
      const character = String.fromCharCode(code);
      for (const name of [character, `${character}a`, `a${character}`, `a${character}b`]) {
        expect(problemOf(name), code.toString(16)).toBe("must not contain control characters");
      }
    }
  });

  test(`${what} that is valid comes out of UTF-8 as it went in, within its bytes`, () => {
    const any = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme", maxLength: 200, size: "max" }));
    const property = fc.property(any, (name) => {
      const bytes = new TextEncoder().encode(name);
      if (problemOf(name) !== undefined) return;
      expect(bytes.length).toBeGreaterThan(0);
      expect(bytes.length).toBeLessThanOrEqual(maxBytes);
      expect(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)).toBe(name);
    });
    fc.assert(property, { numRuns: 500 });
  });

  test(`${what} is judged without an exception, whatever UTF-16 it is`, () => {
    const utf16 = fc
      .array(fc.integer({ min: 0, max: 0xffff }))
      .map((units) => units.map((unit) => String.fromCharCode(unit)).join(""));
    fc.assert(fc.property(utf16, (name) => ["undefined", "string"].includes(typeof problemOf(name))));
  });
});

describe("the name of a client", () => {
  test("a client's name has no colon, since the first colon separates it from the secret", () => {
    const property = fc.property(fc.string({ unit: "binary" }), fc.string(), (name, secret) => {
      if (nameProblem(name) !== undefined) return;
      const credentials = `${name}:${secret}`;
      expect(credentials.slice(0, credentials.indexOf(":"))).toBe(name);
    });
    fc.assert(property);
  });
});

describe("the name of a realm", () => {
  const tooLong = `must have at most ${limits.maxRealmLength} characters`;

  test("the realm of clients that name none has a valid name", () => {
    expect(realmProblem(defaultRealm)).toBeUndefined();
  });

  test("a realm's name may have as many characters as the limit says, and not one more", () => {
    expect(realmProblem("a".repeat(limits.maxRealmLength))).toBeUndefined();
    expect(realmProblem("a".repeat(limits.maxRealmLength + 1))).toBe(tooLong);
    expect(realmProblem("-".repeat(50_000_000))).toBe(tooLong);
  });

  test("a valid realm's name stands in a URL's path unchanged", () => {
    const property = fc.property(fc.string({ unit: fc.constantFrom(..."az09-A_./%\u00e9 ".split("")) }), (realm) => {
      if (realmProblem(realm) !== undefined) return;
      expect(new URL(`https://router.example/${realm}`).pathname).toBe(`/${realm}`);
      expect(realm).toMatch(/^[a-z0-9-]+$/);
    });
    fc.assert(property, { numRuns: 500 });
  });
});

test.each([
  "bob ",
  " bob",
  "bob\u00a0",
  "\u3000bob",
  "bob\u00a0smith",
  "bob\u2003smith",
  "bob  smith",
  "bob\u200b",
  "b\u200cob",
  "b\u200dob",
  "bob\u2060",
  "\ufeffbob",
  "\u202ebob",
  "\u2066bob\u2069",
  "b\u00adob",
  "b\u034fob",
  "bob\ufe0f",
  "bob\u115f",
  "bob\u3164",
  "bob\u2800",
  "bob\u{e0041}",
  "bob\u061c",
  "bo\u0301b",
  "\u212bngstrom",
  "\u0301bob",
  "\ue000",
  "bob\uf8ff",
  "bob\u{10fffd}",
  "\ufffc",
  "bob\ufffe",
  "bob\u{1d159}",
  "\u{13441}",
  "bob\u{16fe4}",
  "\u0378",
  "bob\u{e1000}",
  "bob\u0323\u0336\u0337\u0338\u0339",
  `z${"\u0336".repeat(20)}`,
])("the name %j looks like another, so no new client gets it, though one that has it keeps it", (name) => {
  expect(newNameProblem(name)).toMatch(/^must (not|be in) /);
  expect(nameProblem(name)).toBeUndefined();
});

test.each([
  "ก็ปู่",
  "שָׁ֑ל",
  "བསྒྲུབས",
  "Việt",
  "bob",
  "bob smith",
  "żółw 亀 🐢",
  "Ångström",
  "कि",
  "אבג",
  "a/b",
  "a.b@example.com",
  "ｂｏｂ",
  "O'Neill",
])("the name %j is one that a new client may have", (name) => {
  expect(newNameProblem(name)).toBeUndefined();
});

test("a name that begins with + is a holder's: no new client gets it, and what comes after the key is the subject", () => {
  for (const name of ["+", "+shop", "+shop/ann", "+/x"]) {
    expect(newNameProblem(name)).toBe('must not begin with "+": such names belong to the holders of tokens');
    expect(nameProblem(name)).toBeUndefined();
  }
  expect(["+shop/ann", "+shop/a/b", "+a-1/", "+shop", "+/x", "+Shop/x", "+-a/x", "shop/ann"].map(keyIdOf)).toEqual([
    "shop",
    "shop",
    "a-1",
    ...Array<undefined>(5).fill(undefined),
  ]);
  expect(keyIdOf(`+${"k".repeat(routerLimits.maxKeyIdLength + 1)}/x`)).toBeUndefined();
  expect(holderName("shop", "ann")).toBe("+shop/ann");
});
