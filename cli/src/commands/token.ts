import { holderName, keyIdProblem, type Openable } from "@messagepasser/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import { AdminApi } from "../admin-api.ts";
import { oneMore } from "../lists.ts";
import { note, printJson, printSecret } from "../output.ts";
import { type AdminFlags, checkedPeer, textOf, withAdminFlags } from "../settings.ts";
import { Failure, statuses } from "../status.ts";
import { durationForm, positiveDurationOf, timeOf } from "../times.ts";
import { signedToken } from "../token.ts";
import { noteUnconfirmed } from "../unconfirmed.ts";

interface MintFlags {
  readonly keyFile?: string;
  /** In milliseconds. */
  readonly for: number;
  readonly open?: readonly Openable[];
  readonly serve?: readonly string[];
  readonly audience?: string;
  readonly json?: true;
}

interface RevokeFlags extends AdminFlags {
  readonly name?: string;
  readonly key?: string;
  readonly before?: string;
  readonly json?: true;
}

/** Adds `mp token` with its subcommands. */
export function addToken(program: Command): void {
  const token = program
    .command("token")
    .helpCommand(false)
    .description("sign tokens for tests, and revoke tokens")
    .addHelpText(
      "after",
      "\nExamples:\n  mp token mint shop ann --key-file shop.key\n  mp token revoke --name +shop/ann",
    );
  token
    .command("mint <key> <subject>")
    .description("sign a token on this machine, as a login server does")
    .option(
      "--key-file <file>",
      "a file with the secret, or with a private key in PEM or as a JWK (default: the key in MP_TOKEN_KEY)",
    )
    .addOption(
      new Option("--for <duration>", `how long the token is valid, ${durationForm}`)
        .argParser(positiveDurationOf)
        .default(3_600_000, "1h"),
    )
    .option(
      "--open <peer:protocol>",
      "what the holder may open; may be repeated (default: what the rules allow)",
      openOf,
    )
    .option("--serve <protocol>", "what the holder serves; may be repeated (default: nothing)", oneMore)
    .option("--audience <audience>", 'the token\'s "aud"')
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
The token is a secret of the client +KEY/SUBJECT, and is printed to standard output. In --open and --serve, * matches
anything. Quote it for your shell.

Examples:
  mp token mint shop ann --key-file shop.key > ann.token
  mp token mint shop ann --key-file shop.key --for 5m --open 'bob:files/*' --serve chat
  MP_NAME=+shop/ann mp ping bob --secret-file ann.token`,
    )
    .action(mint);
  withAdminFlags(token.command("revoke"))
    .description("revoke tokens, and close the links that they opened (needs the admin token)")
    .option("--name <name>", "revoke the tokens of this holder, as +KEY/SUBJECT")
    .option("--key <id>", "revoke the tokens of this key")
    .option(
      "--before <time>",
      "revoke what was issued before this time, as in 2026-01-31T12:00:00Z (default: now)",
      timeOf,
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Tokens that are issued later are valid, so the login server must also refuse the user.

Examples:
  mp token revoke --name +shop/ann
  mp token revoke --key shop --before 2026-01-31T12:00:00Z`,
    )
    .action(revoke);
}

async function mint(key: string, subject: string, flags: MintFlags): Promise<void> {
  const rule = keyIdProblem(key);
  if (rule !== undefined) throw new Failure(statuses.usage, `The key's id ${rule}`);
  const name = checkedPeer(holderName(key, subject), "client");
  const secret = await keyText(flags);
  const { open, serve, audience } = flags;
  const nowS = Math.floor(Date.now() / 1_000);
  const expiresAtS = nowS + Math.ceil(flags.for / 1_000);
  const token = signed(key, secret, {
    sub: subject,
    iat: nowS,
    exp: expiresAtS,
    ...(audience !== undefined && { aud: audience }),
    ...((open ?? serve) && { mp: { ...(open && { open }), ...(serve && { serve }) } }),
  });
  const expiresAt = new Date(expiresAtS * 1_000).toISOString();
  if (flags.json) return await printJson({ name, token, expiresAt });
  note(`"${name}" may connect until ${expiresAt}. This is the token:`);
  return await printSecret(token);
}

async function keyText({ keyFile }: MintFlags): Promise<string> {
  const text = keyFile === undefined ? process.env["MP_TOKEN_KEY"] : await textOf(keyFile, "key");
  const key = text?.trim() ?? "";
  if (key === "") throw new Failure(statuses.usage, "No key: set MP_TOKEN_KEY, or give a file with --key-file");
  return key;
}

function signed(id: string, key: string, claims: object): string {
  try {
    return signedToken(id, key, claims);
  } catch (cause) {
    // Not the library's own text, which may quote the key.
    const detail = "The key can't sign: give a private key (P-256, Ed25519 or RSA) in PEM or as a JWK, or a secret";
    throw new Failure(statuses.usage, detail, { cause });
  }
}

async function revoke({ name, key, before, json, ...flags }: RevokeFlags): Promise<void> {
  if ((name === undefined) === (key === undefined)) throw new Failure(statuses.usage, "Give either --name or --key");
  const api = await AdminApi.of(flags);
  const revoked = await api.revokeTokens({
    ...(name !== undefined && { name }),
    ...(key !== undefined && { key }),
    ...(before !== undefined && { before }),
  });
  if (json) await printJson(revoked);
  else note(`Revoked the tokens of ${name === undefined ? `key "${key}"` : `"${name}"`}`);
  noteUnconfirmed(revoked);
}

function openOf(text: string, before: readonly Openable[] = []): Openable[] {
  const [peer = "", ...rest] = text.split(":");
  if (peer === "" || rest.length === 0 || rest.join(":") === "")
    throw new InvalidArgumentError("Give a peer and a protocol, as in bob:chat.");
  return [...before, { peer, protocol: rest.join(":") }];
}
