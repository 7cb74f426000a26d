import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

/** A rule that the code keeps, and what the code looks like without it. */
export interface Mutation {
  readonly rule: string;
  /** A file, from the root of the repository, what stands in it exactly once, and what stands there instead. */
  readonly changes: readonly (readonly [file: string, snippet: string, instead: string])[];
}

const root = join(import.meta.dirname, "../..");

/**
 * The model with one rule less, as an ES module.
 *
 * @param entry the file of the model that runs a schedule
 * @throws Error if a snippet doesn't stand there exactly once
 */
export async function mutatedModel({ changes }: Mutation, entry = "run.ts"): Promise<string> {
  const mutated = new Map<string, string>();
  for (const [file, snippet, instead] of changes) {
    const path = join(root, file);
    const pieces = (mutated.get(path) ?? (await readFile(path, "utf8"))).split(snippet);
    if (pieces.length !== 2) throw new Error(`${file} has this ${pieces.length - 1} times, not once: ${snippet}`);
    mutated.set(path, pieces.join(instead));
  }
  const plugin: Plugin = {
    name: "mutation",
    setup({ onLoad, onResolve }) {
      // Libraries have no rules of the model's: left out, they needn't be bundled for each mutation.
      onResolve({ filter: /^(fast-check$|@(bufbuild|msgpack)\/)/ }, ({ path }) => ({
        path: import.meta.resolve(path),
        external: true,
      }));
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = mutated.get(path);
        return contents === undefined ? undefined : { contents, loader: "ts" };
      });
    },
  };
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, entry)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "esnext",
    logLevel: "silent",
    plugins: [plugin],
  });
  return outputFiles[0]?.text ?? "";
}
