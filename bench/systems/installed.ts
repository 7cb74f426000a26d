// What `npm run bench:peers` has put on this machine.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AbsentError } from "./system.ts";

/** Has a package of its own: what people would use instead isn't installed where nobody asks for it. */
export const peersFolder = join(import.meta.dirname, "..", "peers");

/**
 * Packages and their versions, as in "socket.io 4.8.4, socket.io-client 4.8.4".
 *
 * @throws AbsentError
 */
export function installedPackages(...names: string[]): string {
  return names.map((name) => `${name} ${installedVersion(name)}`).join(", ");
}

function installedVersion(name: string): string {
  const file = join(peersFolder, "node_modules", name, "package.json");
  if (!existsSync(file)) throw new AbsentError("`npm run bench:peers` installs it");
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}

/**
 * The file of a program that is built from Go.
 *
 * @param how makes it available, for people.
 * @throws AbsentError
 */
export function builtProgram(name: string, how: string): string {
  const file = join(peersFolder, "bin", name);
  if (!existsSync(file)) throw new AbsentError(how);
  return file;
}
