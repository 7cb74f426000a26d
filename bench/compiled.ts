import { basename, dirname, join } from "node:path";
import { buildSync } from "esbuild";

/** By this process: sources may have changed since another one did it. */
const isCompiled = new Set<string>();

/**
 * A module of the benchmark as JavaScript, next to its source so that it finds the same packages. As TypeScript it would
 * bring a compiler into its process: 4 MB more for the garbage collector to go through, as often as large messages make it.
 *
 * @returns the file.
 */
export function compiled(file: string): string {
  const outfile = join(dirname(file), "dist", basename(file).replace(/ts$/, "js"));
  if (isCompiled.has(file)) return outfile;
  isCompiled.add(file);
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
