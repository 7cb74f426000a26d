import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { messageProblem } from "./message.ts";

test.each([[""], ["text"], ["😀"], [new Uint8Array()], [Buffer.from("bytes")], [runInNewContext("new Uint8Array(3)")]])(
  "%o is a message",
  (message) => {
    expect(messageProblem(message)).toBeUndefined();
  },
);

test.each([
  [undefined],
  [null],
  [7],
  [{}],
  [new Uint16Array(2)],
  [new DataView(new ArrayBuffer(2))],
  [new ArrayBuffer(2)],
])("%o is refused as a message, with a sentence that says what a message is", (message) => {
  expect(messageProblem(message)).toEqual(new TypeError("Cannot send this: a message is a string or a Uint8Array"));
});

test("a text with a lone surrogate is refused, since the peer would receive another text", () => {
  expect(messageProblem("a\ud800")?.message).toContain("well-formed");
});

test("bytes whose buffer is gone are refused, rather than sent as an empty message", () => {
  const buffer = new ArrayBuffer(8, { maxByteLength: 8 });
  const shortened = new Uint8Array(buffer, 4, 4);
  buffer.resize(2);
  const transferred = new Uint8Array(8);
  structuredClone(transferred.buffer, { transfer: [transferred.buffer] });
  for (const bytes of [shortened, transferred]) expect(messageProblem(bytes)?.message).toContain("its buffer is gone");
});
