import { basename, dirname, join } from "node:path";
import { build } from "esbuild";

/**
 * A module of the benchmark as JavaScript, next to its source so that it finds the same packages. As TypeScript it would
 * bring a compiler into its process: 4 MB more for the garbage collector to go through, as often as large messages make it.
 *
 * @returns the file.
 */
export async function compiled(file: string): Promise<string> {
  const outfile = join(dirname(file), "dist", basename(file).replace(/ts$/, "js"));
  await build({
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
