import { expect, test } from "vitest";
import { headersIn } from "./headers.ts";
import { Failure } from "./status.ts";

test("headers are lines with a name and a value", () => {
  expect(headersIn("x-gate:  open: sesame \r\n\n# a comment\nCookie: a=b; c=d\n", "MP_HEADERS")).toEqual({
    "x-gate": "open: sesame",
    Cookie: "a=b; c=d",
  });
  expect(headersIn("", "MP_HEADERS")).toEqual({});
});

test.each([
  ["hush", 'must be lines as in "x-gate: open sesame"'],
  [": hush", 'must be lines as in "x-gate: open sesame"'],
  ["a b: hush", 'must be lines as in "x-gate: open sesame"'],
  ["a: hush\u0001", 'must be lines as in "x-gate: open sesame"'],
  ["a: hush\u{1f600}", 'must be lines as in "x-gate: open sesame"'],
  ["Transfer-Encoding: hush", 'must not have "Transfer-Encoding", which mp sets itself'],
  ["Authorization: Bearer hush", 'must not have "Authorization", which mp sets itself'],
  ["sec-websocket-protocol: hush", 'must not have "sec-websocket-protocol"'],
])("headers such as %j are refused, and no value is repeated", (text, sentence) => {
  expect(() => headersIn(text, "MP_HEADERS")).toThrow(Failure);
  expect(() => headersIn(text, "MP_HEADERS")).toThrow(sentence);
  expect(() => headersIn(text, "MP_HEADERS")).not.toThrow(/hush/);
});
