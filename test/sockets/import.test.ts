import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";

const client = join(import.meta.dirname, "..", "..", "client");
const directory = mkdtempSync(join(tmpdir(), "messagepasser-import-"));
mkdirSync(join(directory, "node_modules"));
symlinkSync(client, join(directory, "node_modules", "messagepasser"));

afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** Runs a program in Node, bounded in time, and gives what it printed. */
async function run(program: string, ...flags: string[]): Promise<string> {
  const parameters = [...flags, "--input-type=module", "--eval", program];
  const { stdout } = await promisify(execFile)(process.execPath, parameters, { cwd: directory, timeout: 20_000 });
  return stdout;
}

test.each([[[]], [["--conditions=browser"]], [["--conditions=workerd"]]])(
  "a program that only imports the client exits by itself, with flags %o",
  async (flags) => {
    expect(await run('const { connect } = await import("messagepasser"); console.log(typeof connect)', ...flags)).toBe(
      "function\n",
    );
  },
);

test("the browser's client can be imported where there is no MessageChannel, as under jsdom", async () => {
  const program = 'delete globalThis.MessageChannel; await import("messagepasser"); console.log("imported")';
  expect(await run(program, "--conditions=browser")).toBe("imported\n");
});
