// The code that protoc-gen-es makes of the protobuf format's schema: fails if the file in the repository is another,
// or with `--write` puts it there. Needs no network.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const formats = join(import.meta.dirname, "..", "protocol", "src", "formats");
const committed = join(formats, "frames_pb.ts");
const directory = mkdtempSync(join(tmpdir(), "messagepasser-proto-"));

try {
  const plugin = { local: "protoc-gen-es", out: directory, opt: ["target=ts"] };
  const template = JSON.stringify({ version: "v2", plugins: [plugin] });
  const { status } = spawnSync("buf", ["generate", formats, "--template", template], { stdio: "inherit" });
  if (status !== 0) throw new Error("buf failed");

  const generated = join(directory, "frames_pb.ts");
  if (process.argv.includes("--write")) copyFileSync(generated, committed);
  else if (!readFileSync(generated).equals(readFileSync(committed)))
    throw new Error("frames_pb.ts is not what frames.proto says: run `npm run proto`");
} finally {
  rmSync(directory, { recursive: true });
}
