import { basename, dirname, join } from "node:path";
import { buildSync } from "esbuild";
import type { Command } from "./child.ts";

/** Modules that are compiled: a process may be reading the file. */
const done = new Set<string>();

/**
 * Compiles a module of the benchmark to JavaScript, into a folder beside its source so that it finds the same packages.
 * TypeScript would bring a compiler into the process: 4 MB more for each garbage collection to go through.
 *
 * @returns the compiled file.
 */
export function compiled(file: string): string {
  const outfile = join(dirname(file), "dist", basename(file).replace(/ts$/, "js"));
  if (done.has(file)) return outfile;
  done.add(file);
  buildSync({
    entryPoints: [file],
    outfile,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node22",
    logLevel: "warning",
  });
  return outfile;
}

/** The command that runs a module of the benchmark. */
export function nodeCommand(file: string): Command {
  return [process.execPath, compiled(file)];
}
