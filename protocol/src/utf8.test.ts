import { characterBefore, cutText, fromBase64url, toBase64url, utf8Length } from "@messagepasser/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";

const text = fc.string({ unit: "binary" });

test("a string that is cut is the longest beginning of it that fits", () => {
  fc.assert(
    fc.property(text, fc.nat(20), (whole, maxBytes) => {
      const cut = cutText(whole, maxBytes);
      expect(whole.toWellFormed().startsWith(cut)).toBe(true);
      expect(utf8Length(cut)).toBeLessThanOrEqual(maxBytes);
      const [next = ""] = whole.slice(cut.length);
      if (next !== "") expect(utf8Length(cut) + utf8Length(next)).toBeGreaterThan(maxBytes);
    }),
  );
});

test("a string with half a surrogate pair is cut to well-formed Unicode", () => {
  expect(cutText("a\ud83d", 10)).toBe("a\ufffd");
  expect(cutText("a\ud83d\ude00", 4)).toBe("a");
});

test("text is cut where a character begins, and bytes that are no text are cut anywhere", () => {
  const bytes = new TextEncoder().encode("aé😀");
  expect([1, 2, 3, 4, 5, 6, 7].map((end) => characterBefore(bytes, 0, end))).toEqual([1, 1, 3, 3, 3, 3, 7]);
  expect(characterBefore(bytes, 3, 5)).toBe(3);
  expect(characterBefore(new Uint8Array(10).fill(0x80), 0, 8)).toBe(8);
});

test("base64url is read back as it was written, with and without padding, and nothing else is read", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const digits = toBase64url(bytes);
      expect(digits).toMatch(/^[\w-]*$/);
      expect(fromBase64url(digits)).toEqual(bytes);
      expect(fromBase64url(digits.padEnd(Math.ceil(digits.length / 4) * 4, "="))).toEqual(bytes);
    }),
  );
  for (const digits of ["A", "AAAAA", "A A=", "AA\n", "ä"]) expect(fromBase64url(digits)).toBeUndefined();
});
