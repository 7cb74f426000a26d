import { type Format, formats } from "@messagepasser/protocol/formats";
import { builtInPeerNamed } from "../../src/routing/built-in-peers.ts";

/** The sender of the inputs: the client that the vectors of by-name formats are of. */
export const self = "alice";

/** A peer for each format. All names have as many letters as the vectors' peer, so that one can stand for another. */
export const peers: readonly { readonly name: string; readonly address: number; readonly format: Format }[] = [
  "bob",
  "cat",
  "dan",
  "eve",
  "fay",
  "gus",
].map((name, at) => {
  const format = formats[at];
  if (format === undefined) throw new Error("Fewer formats than peers");
  return { name, address: 2 + at, format };
});
if (peers.length !== formats.length) throw new Error("A format without a peer: name one more");

export const selfAddress = 1;
export const builtInPeerNames = ["$echo", "$sink", "$source", "$slow", "$reject", "$half-close", "$reset"];
export const builtInPeerAddresses = builtInPeerNames.map((name) => builtInPeerNamed(name)?.address ?? 0);
