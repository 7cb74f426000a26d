import { randomBytes } from "node:crypto";
import { type Client, ConnectionError } from "messagepasser";
import { endsWell, protocol, withConnection } from "./exchange.ts";
import { type Finding, wrong } from "./examination.ts";

const rounds = 20;
const roundBytes = 64;
/** A measurement of throughput ends after this time or this many bytes. */
const mostMs = 2_000;
const mostBytes = 67_108_864;
/** How long it may take in all: the bytes on the way have to arrive, on a slow line too. */
export const throughputTimeoutMs = 30_000;
const pieceBytes = 32_768;
/** As much as fits into the first window of a Connection, in few messages: $source counts each as an open. */
const pieces = { count: 4, bytes: 61_440 };
/** The least window has room for `pieces.count` of these. */
const leastPieceBytes = 3_840;
/** Connections at once. With one, most of the time would pass in opening the next. */
const sources = 4;

/** Measures how long a small message takes to `$echo` and back. The median ignores a slow round. */
export async function measureRoundTrip(client: Client, signal: AbortSignal): Promise<Finding> {
  return await withConnection(client, "$echo", protocol, signal, async (connection) => {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const startMs = performance.now();
      await connection.send(new Uint8Array(randomBytes(roundBytes)), { signal });
      if ((await connection.receive({ signal })) === undefined) throw wrong("$echo ended the Connection by itself");
      times.push(performance.now() - startMs);
    }
    const sorted = times.toSorted((left, right) => left - right);
    const value = ((sorted[rounds / 2 - 1] ?? 0) + (sorted[rounds / 2] ?? 0)) / 2;
    return { detail: `median of ${rounds}: ${value.toFixed(2)} ms`, value, unit: "ms" };
  });
}

/** Measures how much goes to `$sink` in a second. */
export async function measureUp(client: Client, signal: AbortSignal): Promise<Finding> {
  return await withConnection(client, "$sink", protocol, signal, async (connection) => {
    const piece = new Uint8Array(randomBytes(pieceBytes));
    const startMs = performance.now();
    let bytes = 0;
    for (; bytes < mostBytes && performance.now() - startMs < mostMs; bytes += piece.length)
      await connection.send(piece, { signal });
    await connection.end({ signal });
    // The peer ends once everything has arrived.
    await connection.receive({ signal });
    const elapsedMs = performance.now() - startMs;
    await endsWell(connection, signal);
    return throughput(bytes, elapsedMs, "to $sink");
  });
}

/** Measures how much comes from `$source` in a second. */
export async function measureDown(client: Client, signal: AbortSignal): Promise<Finding> {
  const startMs = performance.now();
  let bytes = 0;
  // Before anything has arrived, time alone is no reason to stop.
  const isDone = (): boolean => bytes >= mostBytes || (bytes > 0 && performance.now() - startMs >= mostMs);
  let askedBytes = pieces.bytes;
  const readOne = async (): Promise<void> => {
    await withConnection(client, "$source", `${pieces.count}x${askedBytes}`, signal, async (connection) => {
      for (;;) {
        const message = await connection.receive({ signal });
        if (message === undefined || isDone()) return;
        bytes += message.length;
      }
    });
  };
  const read = async (): Promise<void> => {
    while (!isDone()) {
      const triedBytes = askedBytes;
      try {
        await readOne();
      } catch (error) {
        // The router tells a client whose line has not shown its speed to grant little, so the first windows are smaller.
        const isTooMuch = error instanceof ConnectionError && error.code === "rejected";
        if (!isTooMuch || triedBytes <= leastPieceBytes) throw error;
        askedBytes = Math.min(askedBytes, Math.max(leastPieceBytes, triedBytes / 2));
      }
    }
  };
  await Promise.all(Array.from({ length: sources }, read));
  return throughput(bytes, performance.now() - startMs, "from $source");
}

function throughput(bytes: number, elapsedMs: number, where: string): Finding {
  const value = bytes / 1_000 / elapsedMs;
  return { detail: `${value.toFixed(1)} MB/s ${where}`, value, unit: "MB/s" };
}
