import { readFileSync } from "node:fs";
import type { NamedVectors } from "./named-vectors.ts";

/** A file of protocol/vectors. Parsed here, since an import of JSON may be compiled to JavaScript, where a key "__proto__" is none. */
export function vectorsIn(file: string): unknown {
  return JSON.parse(readFileSync(`${import.meta.dirname}/../../protocol/vectors/${file}`, "utf8"));
}

export function namedVectorsIn(file: string): NamedVectors {
  return vectorsIn(file) as NamedVectors;
}
