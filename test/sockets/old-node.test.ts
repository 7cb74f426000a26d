// Client and command, as they are published, on a Node that is too old. Where an old one is installed it is used as well.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");

interface OldNode {
  readonly version: string;
  readonly command: string;
  readonly parameters: readonly string[];
}

/** This Node, which says that it is an old one. */
const pretender: OldNode = {
  version: "20.0.0",
  command: process.execPath,
  parameters: [
    "--import",
    'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.0.0"}})',
  ],
};

function installedOldNodes(): OldNode[] {
  const commands = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "node"));
  return [...new Set(commands)].filter(existsSync).flatMap((command) => {
    const version = spawnSync(command, ["--version"], { encoding: "utf8" }).stdout.trim().slice(1);
    const major = Number(version.split(".")[0]);
    return major >= 16 && major < 22 ? [{ version, command, parameters: [] }] : [];
  });
}

const oldNodes = [pretender, ...installedOldNodes()];

test.each(oldNodes)(
  "mp on Node $version ($command) says in one sentence which version it needs, and exits with 1",
  ({ version, command, parameters }) => {
    const mp = join(root, "cli", "bin", "mp.js");
    const { status, stdout, stderr } = spawnSync(command, [...parameters, mp, "--version"], { encoding: "utf8" });
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: "",
      stderr: `mp: messagepasser needs Node 22.12 or newer; this is Node ${version}\n`,
    });
  },
);

test.each(oldNodes)(
  "importing the client on Node $version ($command) throws an Error that says which version it needs",
  ({ version, command, parameters }) => {
    const entry = pathToFileURL(join(root, "client", "dist", "node.js")).href;
    const program = `import(${JSON.stringify(entry)}).then(() => console.log("loaded"), ({ message }) => console.log(message))`;
    const { status, stdout } = spawnSync(command, [...parameters, "--eval", program], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `messagepasser needs Node 22.12 or newer; this is Node ${version}\n`,
    });
  },
);
