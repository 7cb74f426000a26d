import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { addressesOf } from "./addresses.ts";

test("repository, bugs and homepage of a package come from the one address at the top", () => {
  const expected = {
    repository: { type: "git", url: "git+https://github.com/owner/name.git", directory: "client" },
    bugs: "https://github.com/owner/name/issues",
    homepage: "https://github.com/owner/name/tree/main/client#readme",
  };
  expect(addressesOf("https://github.com/owner/name", "client")).toEqual(expected);
  expect(addressesOf("https://github.com/owner/name.git", "client")).toEqual(expected);
});

test.each([undefined, "", "owner/name", "git@github.com:owner/name.git", "https://github.com/owner", {}])(
  "a release with the repository %j is refused with what to set",
  (repository) => {
    expect(() => addressesOf(repository, "client")).toThrow('set "repository": "https://github.com/OWNER/NAME"');
  },
);

test("`npm run release` without the repository's address says so in one sentence and changes nothing", async () => {
  const directory = mkdtempSync(join(tmpdir(), "messagepasser-release-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "package.json"), "{}");
  const release = promisify(execFile)(process.execPath, [join(import.meta.dirname, "prepare.ts")], { cwd: directory });
  await expect(release).rejects.toMatchObject({
    code: 1,
    stdout: "",
    stderr:
      'Cannot release without the repository\'s address: set "repository": "https://github.com/OWNER/NAME" in package.json\n',
  });
  expect(readdirSync(directory)).toEqual(["package.json"]);
});
