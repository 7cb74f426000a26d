import type { TokenKeyInfo } from "@messagepasser/protocol/admin";
import type { Command } from "commander";
import { AdminApi } from "../admin-api.ts";
import { note, printJson, printSecret, printTable } from "../output.ts";
import { noteUnconfirmed } from "../unconfirmed.ts";
import { type AdminFlags, textOf, withAdminFlags } from "../settings.ts";
import { durationForm, durationText, positiveDurationOf } from "../times.ts";

interface Flags extends AdminFlags {
  readonly audience?: readonly string[];
  /** In milliseconds. */
  readonly maxLife?: number;
  readonly hmacKeyFile?: string;
  readonly publicKeyFile?: string;
  readonly jwksUrl?: string;
  readonly json?: true;
}

/** Adds `mp key` with its subcommands. */
export function addKey(program: Command): void {
  const key = program
    .command("key")
    .helpCommand(false)
    .description("manage the keys that sign a realm's tokens (needs the admin token)")
    .addHelpText("after", "\nExamples:\n  mp key add shop > shop.key\n  mp key list");
  const command = (usage: string, description: string): Command =>
    withAdminFlags(key.command(usage).description(description)).option("--json", "print JSON");

  command("add <id>", "add a key: its tokens let in clients that are called +ID/SUBJECT")
    .option("--hmac-key-file <file>", "take the secret in this file for HS256, of 32 bytes or more")
    .option("--public-key-file <file>", "take the public key in this file, in PEM or as a JWK: P-256, Ed25519 or RSA")
    .option("--jwks-url <url>", "take the public keys at this https URL (JWKS), which may change")
    .option("--audience <audiences...>", 'what the "aud" of a token may be (default: the realm\'s address)')
    .option(
      "--max-life <duration>",
      `how long a token may be valid, ${durationForm} (default: 24h)`,
      positiveDurationOf,
    )
    .addHelpText(
      "after",
      `
Without a key of yours the router makes a secret for HS256, which is printed to standard output. The router can't show it
again. Give it to the server that signs tokens. Tokens of other keys must have an "aud".

Examples:
  mp key add shop > shop.key
  mp key add shop --public-key-file shop.pem --max-life 7d
  mp key add staff --jwks-url https://login.example.com/jwks.json --audience messages`,
    )
    .action(add);
  command("list", "list the keys")
    .addHelpText("after", "\nExamples:\n  mp key list\n  mp key list --json | jq -r '.[].id'")
    .action(list);
  command("remove <id>", "remove a key, and close the links that its tokens opened")
    .addHelpText("after", "\nExamples:\n  mp key remove shop")
    .action(async (id: string, flags: Flags) => {
      const removed = await (await AdminApi.of(flags)).removeKey(id);
      if (flags.json) await printJson({ id, isRemoved: true, ...removed });
      else note(`Removed key "${id}"`);
      noteUnconfirmed(removed);
    });
}

async function add(id: string, flags: Flags): Promise<void> {
  const { audience: audiences, maxLife, hmacKeyFile, publicKeyFile, jwksUrl } = flags;
  const publicKey = publicKeyFile && (await textOf(publicKeyFile, "public key"));
  const added = await (
    await AdminApi.of(flags)
  ).addKey({
    id,
    ...(hmacKeyFile !== undefined && { hmacKey: (await textOf(hmacKeyFile, "secret")).trim() }),
    ...(publicKey !== undefined && { publicKey: jsonIn(publicKey) ?? publicKey }),
    ...(jwksUrl !== undefined && { jwksUrl }),
    ...(audiences !== undefined && { audiences }),
    ...(maxLife !== undefined && { maxLifeS: Math.ceil(maxLife / 1_000) }),
  });
  noteUnconfirmed(added);
  if (flags.json) return await printJson(added);
  note(
    `Added key "${added.id}"${added.secret === undefined ? "" : ". This is its secret, which can't be shown again:"}`,
  );
  return added.secret === undefined ? undefined : await printSecret(added.secret);
}

/** The JWK in a text; `undefined` for PEM, or what the router will refuse. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function list(flags: Flags): Promise<void> {
  const keys = await (await AdminApi.of(flags)).keys();
  if (flags.json) await printJson(keys);
  else if (keys.length === 0) note("The realm has no keys");
  else await printTable([["ID", "ALGORITHM", "SOURCE", "MAX LIFE", "ADDED", "REVOKED BEFORE"], ...keys.map(rowOf)]);
}

function rowOf({ id, algorithm, source, maxLifeS, addedAt, revokedBefore }: TokenKeyInfo): string[] {
  return [id, algorithm, source, durationText(maxLifeS * 1_000), addedAt, revokedBefore ?? "never"];
}
