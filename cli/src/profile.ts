import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { Failure, reasonOf, statuses } from "./status.ts";

/** What `mp login` stores. */
export interface Profile {
  readonly url: string;
  readonly realm: string;
  readonly name: string;
  readonly secret: string;
  readonly adminToken?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The path of the profile, unless `--profile` gives another. */
export function defaultProfilePath(environment: Environment, platform: NodeJS.Platform = process.platform): string {
  return join(configDirectory(environment, platform), "messagepasser", "profile.json");
}

function configDirectory(environment: Environment, platform: NodeJS.Platform): string {
  if (platform === "win32") return environment["APPDATA"] ?? join(homedir(), "AppData", "Roaming");
  const directory = environment["XDG_CONFIG_HOME"] ?? "";
  // The XDG specification says to ignore relative paths.
  return isAbsolute(directory) ? directory : join(homedir(), ".config");
}

/** Reads a profile. Returns `undefined` if there is no such file. */
export async function readProfile(path: string): Promise<Profile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
    // Windows has no such bits. There the user's folder protects the file.
    const { mode } = await stat(path);
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw new Failure(statuses.usage, `Other users may read the profile ${path}: run "chmod 600" on it`);
    }
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error instanceof Failure ? error : cannot("read", path, error);
  }
  const profile = profileOf(text);
  if (profile === undefined) {
    throw new Failure(statuses.usage, `The profile ${path} is damaged: run "mp login" to write a new one`);
  }
  return profile;
}

/** Writes a profile that only its owner may read. A reader sees the old file or the new one, never half of it. */
export async function writeProfile(path: string, profile: Profile): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(profile, null, 2)}\n`);
    } finally {
      await file.close();
    }
    // A umask may have removed bits of the owner too.
    await chmod(temporary, 0o600);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw cannot("write", path, error);
  }
}

/** Removes a profile. Returns false if there was none. */
export async function removeProfile(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw cannot("remove", path, error);
  }
}

function profileOf(text: string): Profile | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const [url, realm, name, secret] = ["url", "realm", "name", "secret"].map((field) => fields.get(field));
  const adminToken = fields.get("adminToken");
  if (typeof url !== "string" || typeof realm !== "string" || typeof name !== "string") return undefined;
  if (typeof secret !== "string") return undefined;
  return { url, realm, name, secret, ...(typeof adminToken === "string" && { adminToken }) };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function cannot(verb: string, path: string, cause: unknown): Failure {
  return new Failure(statuses.usage, `Cannot ${verb} the profile ${path}: ${reasonOf(cause)}`, { cause });
}
