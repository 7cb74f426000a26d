// How the files in protocol/vectors write bytes and frames.
import { Buffer } from "node:buffer";
import type { ControlFrame, DataFrame } from "../../protocol/src/frames.ts";

/** Bytes as the vectors write them: see protocol/vectors/README.md. */
export type HexBytes = string | readonly (string | { readonly repeat: readonly (string | number)[] })[];

/** The bytes of a vector. */
export function fromHex(hex: HexBytes): Uint8Array {
  const pieces = typeof hex === "string" ? [hex] : hex;
  const digits = pieces
    .map((piece) => (typeof piece === "string" ? piece : String(piece.repeat[0]).repeat(Number(piece.repeat[1]))))
    .join("")
    .replaceAll(" ", "");
  // Buffer.from stops at the first digit that isn't one, so a slip in a vector would go unseen.
  if (!/^(?:[0-9a-f]{2})*$/.test(digits)) throw new Error("A vector's hex has something else than pairs of digits");
  return new Uint8Array(Buffer.from(digits, "hex"));
}

/** A vector's frame as the codec knows it: bytes for hex, and an offset that is `undefined` when it isn't carried. */
export function frameOf(vector: object): ControlFrame | DataFrame {
  const fields: Record<string, unknown> = { ...vector };
  for (const field of ["first", "payload"]) if (field in fields) fields[field] = fromHex(fields[field] as HexBytes);
  if (fields["kind"] === "data") fields["offset"] ??= undefined;
  return fields as unknown as ControlFrame | DataFrame;
}
