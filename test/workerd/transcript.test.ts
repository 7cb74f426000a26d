import { subprotocols } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import protocolMd from "../../PROTOCOL.md?raw";
import { Realm } from "./realm.ts";

/** The realm of the document's example. */
class DefaultRealm extends Realm {
  override readonly name = "default";
}

test("PROTOCOL.md's transcript of a JSON client is, line by line, what the client sends and gets", async () => {
  const [, transcript = ""] = /^```transcript\n([^]*?)^```$/m.exec(protocolMd) ?? [];
  const lines = transcript.trimEnd().split("\n");
  expect(lines.length).toBeGreaterThan(8);
  // Connected by hand, since the welcome is the first line.
  const realm = new DefaultRealm();
  const { secret } = await realm.add("alice");
  using alice = await realm.linkUnheard(subprotocols.json, "alice", secret);
  for (const line of lines) {
    const [, direction, json = ""] = /^([▸◂]) (.*)$/.exec(line) ?? [];
    if (direction === "▸") alice.send(json);
    else if (direction === "◂") expect(await alice.next(), line).toEqual(JSON.parse(json));
    else throw new Error(`A line that is neither said nor heard: ${line}`);
  }
  expect(await alice.closed()).toEqual({ code: 1000, reason: "Bye" });
  expect(alice.unread).toEqual([]);
});
