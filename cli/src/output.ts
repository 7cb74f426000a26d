import type { Writable } from "node:stream";
import { inspect } from "node:util";

/** Writes one line for people to standard error. */
export function note(sentence: string): void {
  process.stderr.write(`mp: ${printable(sentence)}\n`);
}

/** Reports an error. With MP_DEBUG set it also reports where the error happened. */
export function reportError(error: unknown): void {
  note(error instanceof Error ? error.message : String(error));
  const isDebugging = (process.env["MP_DEBUG"] ?? "") !== "";
  if (isDebugging) process.stderr.write(`${inspect(error).split("\n").map(printable).join("\n")}\n`);
}

/** Writes the result of a command to standard output. */
export async function print(text: string): Promise<void> {
  await write(process.stdout, text);
}

/** Writes one value as a line of JSON. */
export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value)}\n`);
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
 * Makes a string safe for terminals and logs. Parts of messages come from peers and routers, so control characters are
 * escaped. Secrets are shortened, in case somebody put one in the wrong place.
 */
export function printable(text: string): string {
  return text
    .replace(/(mpi?_)[\w-]{16,}/g, "$1…")
    .replace(/[\p{Cc}\u2028\u2029]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
