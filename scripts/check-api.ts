// The public API of the client as a report in the repository, so that a review sees every change of it. Fails if the report
// isn't what the built declarations say, or with `--write` (`npm run api`) writes it.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { format } from "prettier";
import { runSync } from "./run.mjs";

const client = join(import.meta.dirname, "..", "client");
const report = join(client, "api-report.md");

const introduction = `# Public API of the client

\`npm run api\` makes this page of the built declarations, without their docstrings. \`npm run check\` fails if the page is
not what the code says: a change of it is a change for users, and needs a changeset.
`;

/** The condition or subpath of each entry, and its declarations. */
function entries(): { name: string; file: string }[] {
  // The client's own package.json: each leaf of `exports` with types is an entry.
  const { exports } = JSON.parse(readFileSync(join(client, "package.json"), "utf8")) as { exports: object };
  const found: { name: string; file: string }[] = [];
  const visit = (name: string, value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("types" in value) found.push({ name, file: join(client, String(value.types)) });
    else for (const [key, inner] of Object.entries(value)) visit(`${name} ${key}`, inner);
  };
  for (const [path, value] of Object.entries(exports)) visit(join("messagepasser", path).replaceAll("\\", "/"), value);
  return found;
}

const imports = /^(?:import|export) .*?"(\.[^"]*)";$/gm;
const modules = new Map<string, string>();

/** Adds the declarations of a file and of all files that it mentions. */
function collect(file: string): void {
  if (modules.has(file)) return;
  const text = readFileSync(file, "utf8")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\n/gm, "");
  modules.set(file, text.replace(/^import .*\n/gm, ""));
  for (const [, path = ""] of text.matchAll(imports)) collect(join(dirname(file), path.replace(/\.ts$/, ".d.ts")));
}

const nameOf = (file: string): string => relative(join(client, "dist"), file).replaceAll("\\", "/");

const found = entries();
for (const { file } of found) collect(file);
const list = found.map(({ name, file }) => `- \`${name}\`: ${nameOf(file)}`).join("\n");
const sections = [...modules]
  .filter(([, text]) => text.trim() !== "" && text.trim() !== "export {};")
  .map(([file, text]) => `## ${nameOf(file)}\n\n\`\`\`ts\n${text}\`\`\`\n`);
const page = await format([introduction, list, ...sections].join("\n"), { parser: "markdown", printWidth: 120 });

if (process.argv.includes("--write")) {
  writeFileSync(report, page);
} else if (readFileSync(report, "utf8") !== page) {
  runSync("git", ["diff", "--no-index", "--", report, "-"], { input: page, stdio: ["pipe", "inherit", "inherit"] });
  console.error("The client's public API has changed: run `npm run api`, and `npx changeset` for the changelog");
  process.exitCode = 1;
}
