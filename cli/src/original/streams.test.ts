import { describe, expect, test } from "vitest";
import { GobStream } from "./gob-stream.ts";
import { JsonStream } from "./json-stream.ts";
import type { Message } from "../../../protocol/src/original/message.ts";

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const streams = { gob: GobStream, json: JsonStream };
const writings = ["gob", "json"] as const;

describe("a stream that TCP cuts anywhere", () => {
  const messages = [8, 5, 0, 0, 7].map((meta, at): Message => {
    const data = [
      bytesOf('secret"}{\\'),
      bytesOf("chat"),
      new Uint8Array(300).fill(at),
      new Uint8Array(),
      new Uint8Array(),
    ];
    return { meta, otherClient: 'a "quoted" {name}', connectionId: `bob:${at}`, data: data[at] ?? new Uint8Array() };
  });
  const plain = (message: Message): Message => ({ ...message, data: new Uint8Array(message.data) });

  test.for(writings)(
    "a stream of %s gives the same messages wherever TCP cuts it, in two or in single bytes",
    (writing) => {
      const writer = new streams[writing](1_024);
      const whole = Buffer.concat(messages.map((message) => Buffer.from(writer.write(message))));
      const read = (chunks: readonly Uint8Array[]): Message[] => {
        const reader = new streams[writing](1_024);
        return chunks.flatMap((chunk) => Array.from(reader.read(chunk), plain));
      };
      expect(read([whole])).toEqual(messages);
      expect(read(Array.from(whole, (byte) => Uint8Array.of(byte)))).toEqual(messages);
      for (let at = 1; at < whole.length; at++)
        expect(read([whole.subarray(0, at), whole.subarray(at)])).toEqual(messages);
    },
  );

  test("a stream of JSON needs no line feeds, and takes other fields", () => {
    const text = ' \r\n{"Meta":9,"More":"}"}{"Meta":8 , "Data" : null,"OtherClient":"a\\"b"}\t{}';
    const read = Array.from(new JsonStream(100).read(bytesOf(text)), ({ meta, otherClient }) => [meta, otherClient]);
    expect(read).toEqual([
      [9, ""],
      [8, 'a"b'],
      [0, ""],
    ]);
  });

  test.for([
    ["json", "a list", '{"Data":[1]}', "flat"],
    ["json", "many fields", `{${'"a":1,'.repeat(16)}"b":2}`, "16 fields"],
    ["json", "something between", "{}x", "no JSON object"],
    ["json", "no base64", '{"Data":"a"}', "base64"],
    ["json", "a large number", '{"Meta":256}', "0 to 255"],
    ["json", "a long text", `{"Data":"${"a".repeat(1_024)}`, "at most 1024"],
    ["gob", "the length of a long message", Buffer.from([0xfe, 0x04, 0x01]), "at most 1024"],
    ["gob", "a length past all", Buffer.from([0xf8, 1, 1, 1, 1, 1, 1, 1, 1]), "at most 1024"],
    ["gob", "no length", Buffer.from([0x90]), "neither gob nor JSON"],
  ] as const)("a stream of %s is refused with %s", ([writing, , bytes, why]) => {
    const reader = new streams[writing](1_024);
    expect(() => Array.from(reader.read(Buffer.from(bytes)))).toThrow(why);
  });
});
