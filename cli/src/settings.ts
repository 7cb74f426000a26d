import { readFile } from "node:fs/promises";
import {
  defaultRealm,
  instanceProblem,
  labelProblem,
  nameProblem,
  protocolProblem,
  realmProblem,
} from "@messagepasser/protocol";
import type { Command } from "commander";
import { type Headers, headersIn } from "./headers.ts";
import { note } from "./output.ts";
import { agentFor, type ProxyAgent } from "./proxy/agent.ts";
import { defaultProfilePath, type Profile, readProfile } from "./profile.ts";
import { Failure, reasonOf, statuses } from "./status.ts";
import { durationForm, durationOf } from "./times.ts";

/** The flags for a router and realm. Commander fills them. */
export interface RouterFlags {
  readonly url?: string;
  readonly realm?: string;
  readonly profile?: string;
  readonly headersFile?: string;
}

/** The flag of `withGraceFlag`. */
export interface GraceFlags {
  /** In milliseconds. */
  readonly grace?: number;
}

/** The flags of commands that connect. */
export interface ClientFlags extends RouterFlags, GraceFlags {
  readonly name?: string;
  readonly instance?: string;
  readonly secretFile?: string;
}

/** The flags of commands that use the admin API. */
export interface AdminFlags extends RouterFlags {
  readonly adminTokenFile?: string;
}

/** How to get to a router. */
export interface Way {
  /** Opens connections through the proxy that the environment has for the router; absent if there is none. */
  readonly agent?: ProxyAgent;
  /** For a gate on the way. */
  readonly headers?: Headers;
}

/** Where to connect. */
export interface RouterSettings extends Way {
  /** How long Connections wait for a link that was lost, here or at the peer; the client's own default if absent. */
  readonly graceMs?: number;
  readonly url: URL;
  readonly realm: string;
}

/** Where to connect, and as whom. */
export interface ClientSettings extends RouterSettings {
  readonly name: string;
  /** The instance of this session; absent for none. */
  readonly instance?: string;
  readonly secret: string;
}

/** Which realm to administer. */
export interface AdminSettings extends Way {
  readonly url: URL;
  readonly realm: string;
  readonly adminToken: string;
}

const maxSecretFileBytes = 4_096;

/** Adds the flags of `RouterFlags`. */
export function withRouterFlags(command: Command): Command {
  return command
    .option("--url <url>", "the router's URL, as in wss://router.example.com (MP_URL)")
    .option("--realm <realm>", `the realm (MP_REALM; default: "${defaultRealm}")`)
    .option("--profile <path>", 'the profile, as written by "mp login"')
    .option("--headers-file <file>", "a file with HTTP headers for a gate, one a line (default: those in MP_HEADERS)");
}

/** Adds the flags of `ClientFlags`. */
export function withClientFlags(command: Command): Command {
  return withGraceFlag(withRouterFlags(command))
    .option("--name <name>", "the name to connect with (MP_NAME)")
    .option(
      "--instance <instance>",
      "the instance of this session, as in desk-1; another program that has it ends (MP_INSTANCE)",
    )
    .option("--secret-file <file>", "a file with the secret (default: the secret in MP_SECRET)");
}

/** Adds the flags of `AdminFlags`. */
export function withAdminFlags(command: Command): Command {
  return withRouterFlags(command).option(
    "--admin-token-file <file>",
    "a file with the admin token (default: the token in MP_ADMIN_TOKEN)",
  );
}

/** Adds the flag of `GraceFlags`. */
export function withGraceFlag(command: Command): Command {
  return command.option(
    "--grace <duration>",
    `how long Connections wait for a lost link, here or at the peer, ${durationForm} (default: 2m)`,
    durationOf,
  );
}

/** Settings of a command whose clients have names of their own: from flags, the environment, or the profile. */
export async function routerSettings(flags: RouterFlags & GraceFlags): Promise<RouterSettings> {
  const { url, realm } = await placeOf(flags, true);
  return { url, realm, ...graceOf(flags), ...(await wayTo(url, flags)) };
}

/** Settings of a command that connects: from flags, the environment, or the profile. */
export async function clientSettings(flags: ClientFlags): Promise<ClientSettings> {
  const own = ownSettings(flags);
  const ownSecret = await secretFrom(flags.secretFile, "MP_SECRET", "secret");
  const { url, realm, profile } = await placeOf(flags, own.name !== undefined && ownSecret !== undefined);
  const name = nameOf(own.name ?? profile?.name);
  const secret = ownSecret ?? profileSecret(profile, url, realm, name);
  return { url, realm, name, secret, ...instanceOf(flags), ...graceOf(flags), ...(await wayTo(url, flags)) };
}

function instanceOf(flags: ClientFlags): { instance?: string } {
  const instance = flags.instance ?? environment("MP_INSTANCE");
  const rule = instance === undefined ? undefined : instanceProblem(instance);
  if (rule !== undefined) throw new Failure(statuses.usage, `The instance ${rule}`);
  return instance === undefined ? {} : { instance };
}

function graceOf({ grace }: GraceFlags): { graceMs?: number } {
  return grace === undefined ? {} : { graceMs: grace };
}

/** Settings of a command that uses the admin API: from flags, the environment, or the profile. */
export async function adminSettings(flags: AdminFlags): Promise<AdminSettings> {
  const ownToken = await secretFrom(flags.adminTokenFile, "MP_ADMIN_TOKEN", "admin token");
  const { url, realm, profile } = await placeOf(flags, ownToken !== undefined);
  const isForThisRouter = profile !== undefined && urlOf(profile.url).href === url.href;
  const adminToken = ownToken ?? (isForThisRouter ? profile.adminToken : undefined);
  if (adminToken === undefined)
    throw new Failure(statuses.usage, "No admin token: set MP_ADMIN_TOKEN, or give a file with --admin-token-file");
  return { url, realm, adminToken, ...(await wayTo(url, flags)) };
}

/**
 * The router and the realm of a command.
 *
 * @param hasRest whether flags and environment have all else that the command needs. With router and realm there too, the
 *   profile isn't read.
 */
async function placeOf(
  flags: RouterFlags,
  hasRest: boolean,
): Promise<{ url: URL; realm: string; profile: Profile | undefined }> {
  const own = ownSettings(flags);
  const profile = hasRest && own.url !== undefined && own.realm !== undefined ? undefined : await profileOf(flags);
  return { url: urlOf(own.url ?? profile?.url), realm: realmOf(own.realm ?? profile?.realm), profile };
}

/**
 * The way to a router: through a proxy of the environment, and with the headers of the flag or the environment. Warns if
 * secrets would cross a network unencrypted.
 */
export async function wayTo(url: URL, { headersFile }: RouterFlags): Promise<Way> {
  const isLocal = /^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
  if (url.protocol === "ws:" && !isLocal)
    note(`Warning: secrets cross the network to ${url.host} unencrypted: use wss://`);
  const text = headersFile === undefined ? environment("MP_HEADERS") : await textOf(headersFile, "headers");
  return { ...agentFor(url), ...(text !== undefined && { headers: headersIn(text, headersFile ?? "MP_HEADERS") }) };
}

/** The router, realm and name in flags and environment, unchecked. */
export function ownSettings({ url, realm, name }: ClientFlags): Record<"url" | "realm" | "name", string | undefined> {
  return {
    url: url ?? environment("MP_URL"),
    realm: realm ?? environment("MP_REALM"),
    name: name ?? environment("MP_NAME"),
  };
}

/** Reads a secret from a file or, if there is none, from the environment. */
export async function secretFrom(
  file: string | undefined,
  variable: string,
  what: string,
): Promise<string | undefined> {
  if (file === undefined) {
    const text = environment(variable);
    return text === undefined ? undefined : secretOf(text, variable, what);
  }
  return secretOf(await textOf(file, what), file, what);
}

/** A file's text. @param what the file has, for the error */
export async function textOf(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new Failure(statuses.usage, `Cannot read the ${what} from ${file}: ${reasonOf(cause)}`, { cause });
  }
}

/** Takes a secret without the white space around it. The error for a bad secret doesn't show it. */
export function secretOf(text: string, source: string, what: string): string {
  const secret = text.trim();
  // An HTTP header can carry nothing else, and its own error would quote the secret.
  if (secret.length <= maxSecretFileBytes && /^[\x21-\x7e]+$/.test(secret)) return secret;
  const problem = secret === "" ? "is empty" : `must be one line of at most ${maxSecretFileBytes} ASCII characters`;
  throw new Failure(statuses.usage, `The ${what} in ${source} ${problem}`);
}

/** Checks a router's URL. Changes http and https to ws and wss. Its query stays, since a gate may want a token in it. */
export function urlOf(text: string | undefined): URL {
  if (text === undefined) {
    throw new Failure(statuses.usage, 'No router: give --url, set MP_URL, or run "mp login"');
  }
  const url = URL.parse(text);
  // The string may be a secret in the wrong place, so it isn't repeated.
  if (url === null)
    throw new Failure(statuses.usage, "The router's URL is not a URL: it must look like wss://router.example.com");
  if (url.username !== "" || url.password !== "") {
    const remedy = "give the name with --name and the secret with MP_SECRET or --secret-file";
    throw new Failure(statuses.usage, `The router's URL must not contain a name or a secret: ${remedy}`);
  }
  url.protocol = url.protocol.replace(/^http/, "ws");
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new Failure(statuses.usage, "The router's URL must begin with wss:// or ws://");
  }
  url.hash = "";
  return url;
}

/** Checks a realm's name. */
export function realmOf(realm: string = defaultRealm): string {
  return checked("realm", realm, realmProblem(realm));
}

/** Checks the name to connect with. */
export function nameOf(name: string | undefined): string {
  if (name === undefined) throw new Failure(statuses.usage, 'No name: give --name, set MP_NAME, or run "mp login"');
  return checked("client", name, nameProblem(name));
}

/** Checks the name of a client to open to, or to manage. A peer's may have an instance behind a colon. */
export function checkedPeer(name: string, what = "peer"): string {
  return checked(what, name, what === "peer" ? labelProblem(name) : nameProblem(name));
}

/** Checks a protocol's name. */
export function checkedProtocol(protocol: string): string {
  return checked("protocol", protocol, protocolProblem(protocol));
}

function checked(what: string, name: string, rule: string | undefined): string {
  if (rule !== undefined) throw new Failure(statuses.usage, `The ${what}'s name ${rule}`);
  return name;
}

/** The path of the profile for these flags. */
export function profilePathOf(flags: RouterFlags): string {
  return flags.profile ?? defaultProfilePath(process.env);
}

async function profileOf(flags: RouterFlags): Promise<Profile | undefined> {
  const path = profilePathOf(flags);
  const profile = await readProfile(path);
  if (profile === undefined && flags.profile !== undefined) {
    throw new Failure(statuses.usage, `There is no profile ${path}: run "mp login --profile ${path}" to write it`);
  }
  return profile;
}

/** The profile's secret, if it is for this router, realm and name. A flag may have overridden a part of the profile. */
function profileSecret(profile: Profile | undefined, url: URL, realm: string, name: string): string {
  const remedy = 'set MP_SECRET, give a file with --secret-file, or run "mp login"';
  if (profile === undefined) throw new Failure(statuses.usage, `No secret: ${remedy}`);
  if (urlOf(profile.url).href === url.href && profile.realm === realm && profile.name === name) return profile.secret;
  const whose = `"${profile.name}" in realm "${profile.realm}" of ${urlOf(profile.url).host}`;
  throw new Failure(
    statuses.usage,
    `No secret for "${name}" in realm "${realm}" (the profile has the secret of ${whose}): ${remedy}`,
  );
}

function environment(variable: string): string | undefined {
  const value = process.env[variable] ?? "";
  return value === "" ? undefined : value;
}
