import { beforeEach, expect, test } from "vitest";
import { clientOf, ScriptedRouter } from "../../test/support/scripted-router.ts";
import type { Client } from "./client.ts";
import { Connection } from "./connection/connection.ts";
import { invite } from "./invite.ts";

// What callers without types may pass.

let client: Client;
let connection: Connection;

beforeEach(async () => {
  const router = await ScriptedRouter.start();
  router.open(1, 1);
  await router.turn();
  const [channel] = router.incoming;
  if (channel === undefined) throw new Error("No Connection came");
  connection = new Connection(channel);
  client = clientOf(router);
});

const wrongMetadata = [new Map([["a", "b"]]), new Set(["a"]), new Date(0), ["a"], 7, "text", null];

const calls: readonly (readonly [call: string, sentence: string, run: (wrong: never) => unknown, value: unknown])[] = [
  ["abort", "Cannot abort: reason must be a string", (wrong) => connection.abort(wrong), new Error("x")],
  ["abort", "Cannot abort: reason must be a string", (wrong) => connection.abort(wrong), null],
  ["reject", "Cannot reject: reason must be a string", (wrong) => connection.reject(wrong), new Error("x")],
  ...wrongMetadata.map(
    (metadata) =>
      [
        "open",
        "Cannot open a Connection: metadata must be an object",
        (wrong: never) => client.open("a", "p", { metadata: wrong }),
        metadata,
      ] as const,
  ),
  ["open", "Cannot wait: options must be an object", (wrong) => client.open("a", "p", wrong), null],
  ["peers", "Cannot wait: options must be an object", (wrong) => client.peers(wrong), null],
  ["peers", "Cannot list peers: details must be a boolean", (wrong) => client.peers({ details: wrong }), 1],
  ["watch", "Cannot wait: options must be an object", (wrong) => client.watch("*", wrong), null],
  ["watch", "Cannot watch: pattern must be a string", (wrong) => client.watch(wrong), 7],
  ["watch", "Cannot watch: a pattern must have at most 128 bytes", (wrong) => client.watch(wrong), "é".repeat(65)],
  ["close", "Cannot wait: options must be an object", (wrong) => client.close(wrong), null],
  [
    "handle",
    "Cannot handle 5: a protocol's name must be a string",
    (wrong) => client.handle(wrong, () => undefined),
    5,
  ],
  ["handleAny", 'Cannot handle "*": its handler is not a function', (wrong) => client.handleAny(wrong), undefined],
  ["open", "Cannot wait: signal must be an AbortSignal", (signal) => client.open("a", "p", { signal }), {}],
  ["peers", "Cannot wait: signal must be an AbortSignal", (signal) => client.peers({ signal }), {}],
  ["send", "Cannot wait: signal must be an AbortSignal", (signal) => connection.send("x", { signal }), {}],
  ["send", "Cannot wait: options must be an object", (wrong) => connection.send("x", wrong), null],
  ["receive", "Cannot wait: signal must be an AbortSignal", (signal) => connection.receive({ signal }), "x"],
  ["end", "Cannot wait: signal must be an AbortSignal", (signal) => connection.end({ signal }), {}],
  ["close", "Cannot wait: signal must be an AbortSignal", (signal) => connection.close({ signal }), {}],
];

async function failureOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return undefined;
}

test.each(calls)("%s with a wrong value fails with a TypeError that begins: %s", async (_, sentence, run, value) => {
  const failed = await failureOf(async () => run(value as never));
  expect(failed).toBeInstanceOf(TypeError);
  expect((failed as Error).message).toContain(sentence);
});

test("a metadata object without a prototype, and a signal of any realm, are taken", async () => {
  const metadata = Object.assign(Object.create(null) as Record<string, string>, { a: "b" });
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(client.open("a", "p", { metadata, signal })).rejects.toThrow("enough");
});

const secret = `mp_${Buffer.from([1, ...new Uint8Array(80)]).toString("base64url")}`;
const terms = {
  name: "alice",
  secret,
  guest: "g",
  peer: "bob",
  protocol: "p",
  expiresAt: new Date(Date.now() + 9_999),
};

test("a line feed behind the secret doesn't keep a client from inviting", async () => {
  await expect(invite({ ...terms, secret: `${secret}\n` })).resolves.toMatchObject({ name: "alice/g" });
});

test.each([
  [{ expiresAt: "2030" }, "Cannot invite: expiresAt must be a Date"],
  [{ expiresAt: undefined }, "Cannot invite: expiresAt must be a Date"],
  [{ guest: 5 }, "Cannot invite: guest must be a string, not 5"],
  [{ peer: undefined }, "Cannot invite: peer must be a string, not null"],
  [{ uses: "2" }, "Cannot invite: uses must be a number of 0 or more"],
])(
  "an invitation with the wrong option %o is refused with a TypeError that names the option",
  async (wrong, sentence) => {
    const failed = invite({ ...terms, ...wrong } as unknown as typeof terms);
    await expect(failed).rejects.toThrow(TypeError);
    await expect(failed).rejects.toThrow(sentence);
  },
);
