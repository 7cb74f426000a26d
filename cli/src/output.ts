import type { Writable } from "node:stream";
import { inspect } from "node:util";

/** Tells people something on standard error, in one line. */
export function note(sentence: string): void {
  process.stderr.write(`mp: ${printable(sentence)}\n`);
}

/** Tells what went wrong; with MP_DEBUG set also where. */
export function reportError(error: unknown): void {
  note(error instanceof Error ? error.message : String(error));
  const isDebugging = (process.env["MP_DEBUG"] ?? "") !== "";
  if (isDebugging) process.stderr.write(`${inspect(error).split("\n").map(printable).join("\n")}\n`);
}

/** Writes what the command is for to standard output. */
export async function print(text: string): Promise<void> {
  await write(process.stdout, text);
}

/** Writes one value as JSON, in a line of its own. */
export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value)}\n`);
}

/** Writes a piece; resolves when the stream has room for more. */
export function write(stream: Writable, piece: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const hasRoom = stream.write(piece, (error) => {
      if (error) reject(error);
      else resolve();
    });
    if (hasRoom) resolve();
  });
}

/** Resolves when all that was written has left the process. */
export function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write("", (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/**
 * Text that is safe on a terminal and in a log. Peers and routers write parts of messages, so control characters are
 * escaped; and whoever put a secret where it doesn't belong doesn't see it repeated.
 */
export function printable(text: string): string {
  return text
    .replace(/(mpi?_)[\w-]{16,}/g, "$1…")
    .replace(/[\p{Cc}\u2028\u2029]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
