import type { Readable, Writable } from "node:stream";
import { type Connection, ConnectionError } from "messagepasser";
import { aborted } from "./signals.ts";
import { flushed, isReaderGone, write } from "./output.ts";
import { Failure, ReaderGone, reasonOf, statuses } from "./status.ts";

/** The two ends of a pipe. */
export interface Stdio {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable;
}

/** The command's own. The bytes of a Connection pass as they are. */
export const stdio: Stdio = { input: process.stdin, output: process.stdout };

/**
 * Copies in both directions until both have ended, each as fast as its reader reads. If the input is a terminal, it ends
 * together with the other direction, so that nobody has to press Ctrl+D after a transfer.
 *
 * @param signal closes the Connection in good order: bytes that were sent before still arrive.
 * @throws ConnectionError if the Connection failed; Failure if input or output did; or the signal's reason.
 */
export async function pipe(connection: Connection, { input, output }: Stdio, signal: AbortSignal): Promise<void> {
  const stopInput = (): void => {
    input.destroy();
  };
  const onAbort = (): void => {
    stopInput();
    connection.close().catch(() => undefined);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  void connection.closed.then(stopInput);

  const receiving = receiveAll(connection, output).then(() => {
    if (input.isTTY === true) stopInput();
  });
  const both = Promise.allSettled([receiving, sendAll(connection, input)]);
  // A send may wait long for a peer that doesn't read. A command that is stopped doesn't wait for it.
  const [received, sent] = await Promise.race([both, aborted(signal)]);
  signal.removeEventListener("abort", onAbort);
  // A failure here explains the failure of the Connection that followed.
  const errors = [received, sent].flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  const error =
    errors.find((candidate) => candidate instanceof Failure || candidate instanceof ReaderGone) ??
    errors[0] ??
    (await connection.closed);
  if (error !== undefined) throw error;
}

async function sendAll(connection: Connection, input: Readable): Promise<void> {
  try {
    for await (const chunk of input) {
      // Without an encoding, a stream of bytes yields Buffers.
      await connection.send(chunk as Uint8Array);
    }
  } catch (error) {
    if (error instanceof ConnectionError) {
      input.destroy();
      throw error;
    }
    // The iterator also throws if the stream was destroyed above. `errored` is set only if the stream itself failed.
    if (input.errored !== null) {
      connection.abort("The sender's input could not be read");
      throw new Failure(statuses.failed, `Cannot read standard input: ${input.errored.message}`, { cause: error });
    }
  }
  await connection.end();
}

async function receiveAll(connection: Connection, output: Writable): Promise<void> {
  for await (const piece of connection.readable) await written(connection, () => write(output, piece));
  await written(connection, () => flushed(output));
}

async function written(connection: Connection, writing: () => Promise<void>): Promise<void> {
  try {
    await writing();
  } catch (cause) {
    connection.abort("The receiver's output could not be written");
    if (isReaderGone(cause)) throw new ReaderGone(statuses.failed, cause);
    throw new Failure(statuses.failed, `Cannot write to standard output: ${reasonOf(cause)}`, { cause });
  }
}
