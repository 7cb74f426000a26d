// The command prints everything through here, except the bytes of Connections (pipe.ts). Names, reasons and rules come
// from peers, routers and other owners. Each function here escapes what it prints, and a lint rule keeps other files from
// the streams, so nothing reaches a terminal raw.
import type { Writable } from "node:stream";
import { ReaderGone, reasonOf, statuses } from "./status.ts";

/** Writes one line for people to standard error. */
export function note(sentence: string): void {
  process.stderr.write(`mp: ${printable(sentence)}\n`);
}

/** Reports an error. With MP_DEBUG set it also reports where the error happened. */
export function reportError(error: unknown): void {
  note(reasonOf(error));
  const isDebugging = (process.env["MP_DEBUG"] ?? "") !== "";
  if (isDebugging)
    process.stderr.write(
      traceOf(error)
        .map((line) => `${line}\n`)
        .join(""),
    );
}

/** The lines of an error's stack, and of those behind it. Line feeds in what errors say are escaped. */
export function traceOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [printable(String(error))];
  const { name, message, stack = "", cause } = error;
  // The stack begins with the message, in which another may have written what looks like frames.
  const at = stack.indexOf(message);
  const rest = at === -1 ? "" : stack.slice(at + message.length);
  const frames = rest.split("\n").filter((line) => line.startsWith("    at "));
  const behind: unknown[] = [...(error instanceof AggregateError ? (error.errors as unknown[]) : [])];
  if (cause !== undefined) behind.push(cause);
  return [`${name}: ${message}`, ...frames].map(printable).concat(behind.flatMap(traceOf));
}

/** Shows at a terminal what is being done, until `clearProgress`. */
export function showProgress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(printable(what));
}

/** Removes what `showProgress` showed. */
export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
}

/** Writes lines of the result to standard output. Line feeds in them are escaped. @throws ReaderGone */
export async function print(...lines: readonly string[]): Promise<void> {
  await printRaw(lines.map((line) => `${printable(line)}\n`).join(""));
}

/** Writes a table, each column as wide as its widest cell. @throws ReaderGone */
export async function printTable(rows: readonly (readonly string[])[]): Promise<void> {
  const cells = rows.map((row) => row.map(printableName));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const padded = cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  await printRaw(padded.map((line) => `${line.trimEnd()}\n`).join(""));
}

/** Writes one value as a line of JSON. @throws ReaderGone */
export async function printJson(value: unknown): Promise<void> {
  await printRaw(`${escaped(JSON.stringify(value))}\n`);
}

/** Writes a secret, whole, as the only line of the result. @throws ReaderGone */
export async function printSecret(secret: string): Promise<void> {
  await printRaw(`${escaped(secret)}\n`);
}

async function printRaw(text: string): Promise<void> {
  try {
    // Not only until there is room: a failed write is known afterwards.
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(text, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  } catch (cause) {
    throw isReaderGone(cause) ? new ReaderGone(statuses.done, cause) : cause;
  }
}

/** Whether a write failed because its reader has gone. Later writes find the stream destroyed. */
export function isReaderGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  // Windows says EOF.
  return code === "EPIPE" || code === "EOF" || code === "ERR_STREAM_DESTROYED";
}

/** Writes to a stream. Resolves when the stream has room for more. */
export function write(stream: Writable, piece: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const hasRoom = stream.write(piece, (error) => {
      if (error) reject(error);
      else resolve();
    });
    if (hasRoom) resolve();
  });
}

/** Resolves when everything that was written has left the process. */
export function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write("", (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/**
 * Makes a string safe for terminals and logs. Characters that control a terminal, or that nobody sees, are escaped. Secrets
 * are shortened, in case somebody put one in the wrong place.
 */
export function printable(text: string): string {
  return escaped(text.replace(/(mpi?_)[\w-]{16,}/g, "$1…"));
}

/** The same for a name that stands alone: a space before or behind it would be overlooked. */
export function printableName(name: string): string {
  return printable(name).replace(/^ | $/g, "\\u0020");
}

/**
 * Escapes as JSON does: controls and line ends, characters of format as those that change the direction of text, lone
 * surrogates, private characters, and all that shows as nothing or as a space but isn't an ordinary space.
 */
function escaped(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\s/gu, (character) =>
    // A character beyond 16 bits has two units.
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
