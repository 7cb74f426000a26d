// The code that protoc-gen-es makes of the protobuf format's schema: fails if the file in the repository is another,
// or with `--write` puts it there. Needs no network.
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runSync } from "./run.mjs";

const root = join(import.meta.dirname, "..");
const formats = join(root, "protocol", "src", "formats");
const committed = join(formats, "frames_pb.ts");
const directory = mkdtempSync(join(tmpdir(), "messagepasser-proto-"));

function run(command: string, ...parameters: string[]): void {
  const { status } = runSync(command, parameters);
  if (status !== 0) throw new Error(`${command} failed`);
}

try {
  const plugin = { local: "protoc-gen-es", out: directory, opt: ["target=ts"] };
  const template = JSON.stringify({ version: "v2", plugins: [plugin] });
  run("buf", "generate", formats, "--template", template);
  const generated = join(directory, "frames_pb.ts");
  // As all files here are formatted, so that formatting them changes nothing.
  run("prettier", "--write", "--log-level", "warn", "--config", join(root, ".prettierrc.json"), generated);
  if (process.argv.includes("--write")) copyFileSync(generated, committed);
  else if (!readFileSync(generated).equals(readFileSync(committed)))
    throw new Error("frames_pb.ts is not what frames.proto says: run `npm run proto`");
} finally {
  rmSync(directory, { recursive: true });
}
