import type { Client, Connection } from "messagepasser";

/** What bystanders noticed for a while: quantiles of round trips in milliseconds. */
export interface Noticed {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly worst: number;
}

/** Sends small messages and their echoes at a steady pace, whether or not the last one is back, and notes how long each took. */
export class RoundTrips {
  readonly #connection: Connection;
  readonly #sentAtMs: number[] = [];
  #times: number[] = [];
  readonly #timer: NodeJS.Timeout;

  private constructor(connection: Connection, everyMs: number) {
    this.#connection = connection;
    void this.#read();
    this.#timer = setInterval(() => {
      this.#sentAtMs.push(performance.now());
      connection.send("x".repeat(64)).catch(() => undefined);
    }, everyMs);
  }

  static async between(client: Client, peer: string, everyMs: number): Promise<RoundTrips> {
    return new RoundTrips(await client.open(peer, "echo", { timeoutMs: 60_000 }), everyMs);
  }

  async #read(): Promise<void> {
    for await (const _ of this.#connection) {
      const sentAtMs = this.#sentAtMs.shift();
      if (sentAtMs !== undefined) this.#times.push(performance.now() - sentAtMs);
    }
  }

  /** What was noticed for this time; what is under way at the end counts with the time that it has taken by then. */
  async during(seconds: number): Promise<Noticed> {
    this.#times = [];
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const times = [...this.#times, ...this.#sentAtMs.map((sentAtMs) => performance.now() - sentAtMs)];
    times.sort((left, right) => left - right);
    const at = (part: number): number => Math.round((times[Math.floor(part * times.length)] ?? 0) * 10) / 10;
    return { count: times.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), worst: at(1 - 1e-9) };
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Answers each message on connections of the protocol "echo", and takes what comes on those of "sink". */
export function serve(client: Client): void {
  client.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
  });
  client.handle("sink", async (connection) => {
    for await (const _ of connection);
  });
}

/** The throughput of a bulk Connection, in Mbit/s. */
export async function bulkFor(client: Client, peer: string, seconds: number): Promise<number> {
  const connection = await client.open(peer, "sink");
  const chunk = new Uint8Array(65_536);
  const startMs = performance.now();
  let bytes = 0;
  for (; performance.now() - startMs < seconds * 1_000; bytes += chunk.length) await connection.send(chunk);
  const mbits = (bytes * 8) / 1_000 / (performance.now() - startMs);
  await connection.close();
  return Math.round(mbits * 10) / 10;
}
