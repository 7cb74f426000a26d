import { randomBytes } from "node:crypto";
import type { Client, Connection } from "messagepasser";
import { wrong } from "./examination.ts";

/** What checks open Connections with, where the peer doesn't go by the protocol's name. */
export const protocol = "doctor";
/** Beyond what one byte has as a character. */
export const greeting = "Grüße, 世界";

/** Opens a Connection for a check, and ends it with the check. */
export async function withConnection<Result>(
  client: Client,
  peer: string,
  asked: string,
  signal: AbortSignal,
  use: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const connection = await client.open(peer, asked, { signal });
  try {
    return await use(connection);
  } finally {
    connection.abort();
  }
}

/** Sends a text and bytes to `$echo`, and looks whether they come back as they were. */
export async function checkEcho(client: Client, signal: AbortSignal): Promise<string> {
  return await withConnection(client, "$echo", protocol, signal, async (connection) => {
    const bytes = new Uint8Array(randomBytes(10_000));
    for (const message of [greeting, bytes]) {
      await connection.send(message, { signal });
      const back = await connection.receive({ signal });
      const isSame =
        typeof back === "object"
          ? Buffer.compare(back, Buffer.from(message)) === 0
          : back !== undefined && back === message;
      if (!isSame || typeof back !== typeof message) throw wrong("$echo sent back something else than it got");
    }
    await connection.close({ signal });
    await endsWell(connection, signal);
    return "a text and 10,000 bytes came back";
  });
}

/** Waits for the end of a Connection, which has to be a good one. */
export async function endsWell(connection: Connection, signal: AbortSignal): Promise<void> {
  const error = await within(connection.closed, signal);
  if (error !== undefined) throw error;
}

/** Waits for a promise no longer than the check lasts. */
export async function within<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  const over = Promise.withResolvers<never>();
  const abort = (): void => {
    // The reason of a check's signal is a Failure.
    over.reject(signal.reason as Error);
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, over.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
