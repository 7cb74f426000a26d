import type { Command } from "commander";
import { AdminApi } from "../admin-api.ts";
import { connectClient } from "../client.ts";
import { note } from "../output.ts";
import { type Profile, readProfile, removeProfile, writeProfile } from "../profile.ts";
import { Prompt } from "../prompt.ts";
import {
  type AdminFlags,
  type ClientFlags,
  nameOf,
  ownSettings,
  profilePathOf,
  realmOf,
  type RouterFlags,
  secretFrom,
  secretOf,
  urlOf,
  wayTo,
  withClientFlags,
} from "../settings.ts";
import { Failure, statuses } from "../status.ts";

type LoginFlags = ClientFlags & AdminFlags;

const loginExamples = `
Asks for each setting that no flag and no variable gives. The secret is never shown. If standard input is not a terminal,
the secret is read from it. The profile is written once the router has admitted the client.

Examples:
  mp login
  mp login --url wss://router.example.com --name alice < secret.txt
  mp login --url wss://router.example.com --name alice --admin-token-file token.txt < secret.txt`;

const logoutExamples = `
Examples:
  mp logout
  mp logout --profile ./alice.json`;

/** Adds `mp login` and `mp logout`. */
export function addLogin(program: Command): void {
  withClientFlags(program.command("login"))
    .description("check the name and secret, and store them in the profile")
    .option("--admin-token-file <file>", "a file with the admin token, to be stored too")
    .addHelpText("after", loginExamples)
    .action(login);
  program
    .command("logout")
    .description("remove the profile")
    .option("--profile <path>", "the profile to remove")
    .addHelpText("after", logoutExamples)
    .action(logout);
}

async function login(flags: LoginFlags): Promise<void> {
  const path = profilePathOf(flags);
  const settings = process.stdin.isTTY ? await asked(flags) : await given(flags);
  const { url, realm, name, secret } = settings;
  const way = await wayTo(url, flags);
  const adminToken = await secretFrom(flags.adminTokenFile, "MP_ADMIN_TOKEN", "admin token");
  if (flags.adminTokenFile !== undefined && adminToken !== undefined) {
    // One page proves that the token is valid.
    await new AdminApi({ url, realm, adminToken, ...way }).list().next();
  }
  const client = await connectClient({ ...settings, ...way });
  await client.close();
  const kept = flags.adminTokenFile === undefined ? await earlierToken(path, url) : adminToken;
  const profile: Profile = { url: url.href, realm, name, secret, ...(kept !== undefined && { adminToken: kept }) };
  await writeProfile(path, profile);
  note(`Logged in as "${name}" in realm "${realm}" of ${url.host}: the profile is ${path}`);
}

async function logout(flags: RouterFlags): Promise<void> {
  const path = profilePathOf(flags);
  note((await removeProfile(path)) ? `Removed the profile ${path}` : `There is no profile ${path}`);
}

interface Answers {
  readonly url: URL;
  readonly realm: string;
  readonly name: string;
  readonly secret: string;
}

async function asked(flags: LoginFlags): Promise<Answers> {
  const own = ownSettings(flags);
  const ownSecret = await secretFrom(flags.secretFile, "MP_SECRET", "secret");
  using prompt = new Prompt(process.stdin, process.stderr);
  const url = urlOf(own.url ?? (await prompt.ask("Router's URL")));
  const realm = realmOf(own.realm ?? (await prompt.ask("Realm", realmOf())));
  const name = nameOf(own.name ?? (await prompt.ask("Name")));
  const secret = ownSecret ?? secretOf(await prompt.askHidden("Secret"), "your answer", "secret");
  return { url, realm, name, secret };
}

async function given(flags: LoginFlags): Promise<Answers> {
  const own = ownSettings(flags);
  const url = urlOf(own.url);
  const realm = realmOf(own.realm);
  const name = nameOf(own.name);
  const ownSecret = await secretFrom(flags.secretFile, "MP_SECRET", "secret");
  return { url, realm, name, secret: ownSecret ?? secretOf(await standardInput(), "standard input", "secret") };
}

async function standardInput(): Promise<string> {
  const maxBytes = 65_536;
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > maxBytes) throw new Failure(statuses.usage, "Standard input is too long for a secret");
  }
  return text;
}

/** The admin token that the old profile has for the same router. A damaged profile has none. */
async function earlierToken(path: string, url: URL): Promise<string | undefined> {
  const earlier = await readProfile(path).catch(() => undefined);
  return earlier?.url === url.href ? earlier.adminToken : undefined;
}
