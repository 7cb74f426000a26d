// Packs what would be published and uses it as a stranger would: it must resolve and compile for Node, browsers and workerd.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { runSync } from "./run.mjs";

/** What the client may cost a page, minified and compressed. */
const maxBrowserBytes = 29 * 1024;

const root = join(import.meta.dirname, "..");
const directory = mkdtempSync(join(tmpdir(), "messagepasser-packages-"));

function run(command: string, ...parameters: string[]): string {
  const { status, stdout } = runSync(command, parameters, { cwd: directory, stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) throw new Error(`${command} ${parameters[0] ?? ""} failed:\n${stdout}`);
  return stdout;
}

function pack(workspace: string): string {
  const output = run("npm", "pack", join(root, workspace), "--json", "--ignore-scripts", "--loglevel=error");
  // npm's own JSON; a change of its shape fails right here.
  const [packed] = JSON.parse(output) as { filename: string; files: { path: string }[] }[];
  if (packed === undefined) throw new Error(`npm packed nothing for ${workspace}`);
  for (const needed of ["LICENSE", "README.md", "CHANGELOG.md"]) {
    if (!packed.files.some(({ path }) => path === needed)) throw new Error(`${packed.filename} lacks ${needed}`);
  }
  console.log(`${packed.filename}: ${packed.files.length} files`);
  return join(directory, packed.filename);
}

function unpack(tarball: string, name: string): void {
  const target = join(directory, "node_modules", name);
  mkdirSync(target, { recursive: true });
  run("tar", "--extract", "--gzip", "--strip-components=1", "--file", tarball, "--directory", target);
}

try {
  const [client, cli] = [pack("client"), pack("cli")];
  for (const tarball of [client, cli]) {
    run("publint", "run", tarball, "--strict");
    // "--force" lets the version be one that is on npm already, as it is from one release to the next.
    run("npm", "publish", tarball, "--dry-run", "--force", "--loglevel=silent");
  }
  run("attw", client, "--profile", "esm-only");

  unpack(client, "messagepasser");
  unpack(cli, "@messagepasser/cli");
  for (const [workspace, dependency] of [
    ["client", "ws"],
    ["client", "@types/ws"],
    ["cli", "commander"],
    ["cli", "https-proxy-agent"],
    ["cli", "socks-proxy-agent"],
  ] as const) {
    // The workspace's own, if it has one: another version may stand at the root.
    const places = [join(root, workspace, "node_modules", dependency), join(root, "node_modules", dependency)];
    mkdirSync(join(directory, "node_modules", "@types"), { recursive: true });
    symlinkSync(places.find((place) => existsSync(place)) ?? "", join(directory, "node_modules", dependency));
  }

  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  copyFileSync(join(root, "test", "types", "public-api.ts"), join(directory, "program.ts"));
  const strict = ["--noEmit", "--strict", "--skipLibCheck", "false", "--target", "es2024", "program.ts", "--types", ""];
  const libraries = ["--lib", "es2024,esnext.disposable,dom,dom.iterable"];
  run("tsc", "--ignoreConfig", ...strict, ...libraries, "--module", "nodenext");
  for (const condition of ["browser", "workerd"]) {
    run(
      "tsc",
      "--ignoreConfig",
      ...strict,
      ...libraries,
      "--module",
      "esnext",
      "--moduleResolution",
      "bundler",
      "--customConditions",
      condition,
    );
  }
  console.log("Types compile for Node, browsers and workerd");

  run(
    "node",
    "--input-type=module",
    "--eval",
    'const { connect } = await import("messagepasser"); if (typeof connect !== "function") process.exit(1)',
  );
  console.log(
    `mp ${run("node", join(directory, "node_modules", "@messagepasser", "cli", "bin", "mp.js"), "--version").trim()} starts`,
  );

  for (const condition of ["browser", "workerd"]) {
    const { outputFiles, metafile } = await build({
      stdin: { contents: 'export * from "messagepasser"', resolveDir: directory },
      bundle: true,
      minify: true,
      write: false,
      metafile: true,
      format: "esm",
      target: "es2024",
      conditions: [condition],
    });
    const inputs = Object.keys(metafile.inputs).filter((input) => input.includes("node_modules"));
    if (inputs.length !== 1) throw new Error(`The client brings dependencies for ${condition}: ${inputs.join(", ")}`);
    const bytes = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
    console.log(`${condition}: ${bytes} bytes, minified and compressed, of ${maxBrowserBytes} allowed`);
    if (bytes > maxBrowserBytes) throw new Error(`The client is too large for ${condition}`);
  }
} finally {
  rmSync(directory, { recursive: true });
}
