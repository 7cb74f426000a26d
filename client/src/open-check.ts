import { instanceProblem, limits, peerProblem, protocolProblem, utf8Length } from "@messagepasser/protocol";
import { checkOptions } from "./options.ts";

/** Keys and values one after the other. @throws TypeError for a value that is no string, from a caller without types. */
export function metadataEntries(metadata: Readonly<Record<string, unknown>>): string[] {
  const texts: string[] = [];
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string") checkOptions("open a Connection", "string", { [`metadata.${key}`]: value ?? null });
    // Just checked.
    texts.push(key, value as string);
  }
  return texts;
}

/** Why no session can be meant by these. */
export function targetProblem(session: string, instance: string): string | undefined {
  if (!/^[0-9a-f]{32}$/.test(session)) return "session must be 32 hexadecimal digits";
  const rule = instance === "" ? undefined : instanceProblem(instance);
  return rule && `the instance ${rule}`;
}

/** Why an open can't be sent, as the end of a sentence. @param metadata keys and values one after the other */
export function openProblem(peer: string, protocol: string, metadata: readonly string[]): string | undefined {
  const nameRule = peerProblem(peer);
  if (nameRule !== undefined) return `the peer's name ${nameRule}`;
  const protocolRule = protocolProblem(protocol);
  if (protocolRule !== undefined) return `the protocol's name ${protocolRule}`;
  if (metadata.length > 2 * limits.maxMetadataEntries)
    return `metadata must have at most ${limits.maxMetadataEntries} entries`;
  if (!metadata.every((text) => text.isWellFormed())) return "metadata must be well-formed Unicode";
  return utf8Length(metadata.join("")) > limits.maxMetadataBytes
    ? `metadata must have at most ${limits.maxMetadataBytes} bytes`
    : undefined;
}
