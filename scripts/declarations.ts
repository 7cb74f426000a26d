// The declarations of the client that its entries in package.json lead to: its public API.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const client = join(import.meta.dirname, "..", "client");

export interface Entry {
  /** The specifier by which programs import it, and the condition where it has several files. */
  readonly name: string;
  /** The file of its declarations. */
  readonly file: string;
}

/** The client's entries: each leaf with types in package.json's `exports`. */
export function entries(): Entry[] {
  const { exports } = JSON.parse(readFileSync(join(client, "package.json"), "utf8")) as { exports: object };
  const found: Entry[] = [];
  const visit = (name: string, value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("types" in value) found.push({ name, file: join(client, String(value.types)) });
    else for (const [key, inner] of Object.entries(value)) visit(`${name} ${key}`, inner);
  };
  for (const [path, value] of Object.entries(exports)) visit(join("messagepasser", path).replaceAll("\\", "/"), value);
  return found;
}

const imports = /^(?:import|export) .*?"(\.[^"]*)";$/gm;

/** The built declarations that the entries mention, directly or not: the text of each by its file, without comments. */
export function publicDeclarations(): Map<string, string> {
  const found = new Map<string, string>();
  const collect = (file: string): void => {
    if (found.has(file)) return;
    const text = readFileSync(file, "utf8")
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/^\s*\n/gm, "");
    found.set(file, text);
    for (const [, path = ""] of text.matchAll(imports)) collect(join(dirname(file), path.replace(/\.ts$/, ".d.ts")));
  };
  for (const { file } of entries()) collect(file);
  return found;
}
