// Builds what the published packages consist of: client/dist and cli/dist. Takes a fraction of a second, so every npm
// script does it first. `--types` adds the declarations and the licence, which packing and type checks need.
import { copyFileSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, type BuildOptions } from "esbuild";
import { publicDeclarations } from "./declarations.ts";
import { runSync } from "./run.mjs";

const root = join(import.meta.dirname, "..");
const withTypes = process.argv.includes("--types");

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2024",
  sourcemap: true,
  sourcesContent: true,
  logLevel: "warning",
};

if (withTypes) rmSync(join(root, "client", "dist"), { recursive: true, force: true });
await Promise.all([
  build({ ...common, entryPoints: ["client/src/node.ts"], outdir: "client/dist", platform: "node", external: ["ws"] }),
  build({
    ...common,
    entryPoints: ["client/src/browser.ts", "client/src/invite.ts", "client/src/msgpack.ts", "client/src/protobuf.ts"],
    outdir: "client/dist",
    platform: "browser",
  }),
  build({
    ...common,
    entryPoints: ["cli/src/main.ts"],
    outdir: "cli/dist",
    platform: "node",
    external: ["commander", "https-proxy-agent", "messagepasser", "messagepasser/*", "socks-proxy-agent", "ws"],
  }),
]);
if (withTypes) {
  for (const project of ["client/tsconfig.json", "client/tsconfig.node.json"]) {
    const options = [
      "--noEmit",
      "false",
      "--declaration",
      "--emitDeclarationOnly",
      "--stripInternal",
      "--outDir",
      "client/dist",
    ];
    const { status } = runSync("tsc", ["-p", project, ...options, "--rootDir", "client/src"], { cwd: root });
    if (status !== 0) process.exit(1);
  }
  // The declarations of what stays private would only fill the package.
  const dist = join(root, "client", "dist");
  const declarations = publicDeclarations();
  for (const file of globSync("**/*.d.ts", { cwd: dist })) {
    if (!declarations.has(join(dist, file))) rmSync(join(dist, file));
  }
  for (const folder of ["client", "cli"]) copyFileSync(join(root, "LICENSE"), join(root, folder, "LICENSE"));
}
