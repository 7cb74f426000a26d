// The public API of the client as a report in the repository, so that a review sees every change of it. Fails if the report
// isn't what the built declarations say, or with `--write` (`npm run api`) writes it.
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { format } from "prettier";
import { entries, publicDeclarations } from "./declarations.ts";
import { runSync } from "./run.mjs";

const client = join(import.meta.dirname, "..", "client");
const report = join(client, "api-report.md");

const introduction = `# Public API of the client

\`npm run api\` makes this page of the built declarations, without their docstrings. \`npm run check\` fails if the page is
not what the code says: a change of it is a change for users, and needs a changeset.
`;

const nameOf = (file: string): string => relative(join(client, "dist"), file).replaceAll("\\", "/");

const list = entries()
  .map(({ name, file }) => `- \`${name}\`: ${nameOf(file)}`)
  .join("\n");
const sections = Array.from(publicDeclarations(), ([file, text]) => [file, text.replace(/^import .*\n/gm, "")] as const)
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
