import { randomBytes } from "node:crypto";
import type { Client, Connection } from "messagepasser";
import { wrong } from "./examination.ts";

/** The protocol of checks, for peers that ignore the protocol's name. */
export const protocol = "doctor";
/** Has characters of one, two and three bytes. */
export const greeting = "Grüße, 世界";

/** Opens a Connection for a check, and ends it when the check ends. */
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

/** Sends a text message and a binary one to `$echo`, and checks that they come back unchanged. */
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
      if (!isSame || typeof back !== typeof message) throw wrong("$echo sent back a different message");
    }
    await connection.close({ signal });
    await endsWell(connection, signal);
    return "a text message and 10,000 bytes came back";
  });
}

/** Waits for the end of a Connection. @throws ConnectionError if it failed */
export async function endsWell(connection: Connection, signal: AbortSignal): Promise<void> {
  const error = await within(connection.closed, signal);
  if (error !== undefined) throw error;
}

/** Waits for a promise, at most until the check ends. */
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
