// Builds the client of the original's package, where its module is to be had.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface BuiltProgram extends Disposable {
  readonly file: string;
}

const timeLimitMs = 60_000;

/** The program, or in a sentence why there is none here. @throws Error where it could be built but can't */
export function buildProgram(): BuiltProgram | string {
  if (go("version").status !== 0) return "There is no Go here: the original's interop isn't tested";
  const download = go("mod", "download");
  if (download.status !== 0) {
    // A module that is there but is another than it should be is nothing to be silent about.
    if (/checksum mismatch|missing go\.sum entry/.test(download.stderr)) throw new Error(download.stderr);
    const what = "The original's module can't be fetched from the Go module proxy here: its interop isn't tested";
    return `${what}\n${download.stderr.trim()}`;
  }
  const directory = mkdtempSync(join(tmpdir(), "messagepasser-original-"));
  const remove = (): void => {
    rmSync(directory, { recursive: true, force: true });
  };
  const file = join(directory, "original");
  const build = go("build", "-o", file, ".");
  if (build.status === 0) return { file, [Symbol.dispose]: remove };
  remove();
  throw new Error(`The client of the original's package does not build:\n${build.stderr}`);
}

function go(...parameters: string[]): { readonly status: number | null; readonly stderr: string } {
  // Just this module, as it is written down, with the Go that is here.
  const env = { ...process.env, GOWORK: "off", GOFLAGS: "-mod=readonly", GOTOOLCHAIN: "local" };
  return spawnSync("go", parameters, { cwd: import.meta.dirname, env, encoding: "utf8", timeout: timeLimitMs });
}
