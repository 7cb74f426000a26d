import { expect, test } from "vitest";
import { printable, printableName, traceOf } from "./output.ts";

test.each([
  ["an escape sequence", "a\u001b[31mb", "a\\u001b[31mb"],
  ["an escape sequence of one character", "a\u009b31mb", "a\\u009b31mb"],
  ["a line feed and a carriage return", "a\r\nb", "a\\u000d\\u000ab"],
  ["a bell and a deletion", "\u0007\u007f", "\\u0007\\u007f"],
  ["text that runs from right to left", "\u202ebob\u2066", "\\u202ebob\\u2066"],
  ["a space of no width, a joiner and a byte order mark", "a\u200bb\u2060c\ufeff", "a\\u200bb\\u2060c\\ufeff"],
  ["line separators", "a\u2028b\u2029", "a\\u2028b\\u2029"],
  ["spaces that look like an ordinary one", "a\u00a0b\u3000c\u2003d", "a\\u00a0b\\u3000c\\u2003d"],
  ["fillers", "\u115f\u3164\u034f\ufe0f\u2800", "\\u115f\\u3164\\u034f\\ufe0f\\u2800"],
  ["tags, which nobody sees", "a\u{e0062}", "a\\udb40\\udc62"],
  ["half a character", "a\ud800", "a\\ud800"],
  ["ordinary text", "Grüße, 世界! é \u{1f600}", "Grüße, 世界! é \u{1f600}"],
])("printable escapes %s", (_, text, shown) => {
  expect(printable(text)).toBe(shown);
  expect(JSON.parse(`"${shown}"`)).toBe(text);
});

test("printableName shows the spaces around a name", () => {
  expect([" bob", "bob ", " ", "bob b"].map(printableName)).toEqual(["\\u0020bob", "bob\\u0020", "\\u0020", "bob b"]);
});

test("the trace of an error has a line for each error and frame, whatever the errors say", () => {
  const first = new TypeError("a\nmp: b\n    at c");
  const lines = traceOf(new Error("\nmp: d", { cause: new AggregateError([first, "e\nf"], "") }));
  expect(lines.filter((line) => !line.startsWith("    at "))).toEqual([
    "Error: \\u000amp: d",
    "AggregateError: ",
    "TypeError: a\\u000amp: b\\u000a    at c",
    "e\\u000af",
  ]);
  expect(lines.length).toBeGreaterThan(6);
  expect(lines).not.toContain("    at c");
});
