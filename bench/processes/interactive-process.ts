// One of two clients that talk and send bulk at once, in a process of its own. interactive.ts starts and calls it.
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type * as messagepasser from "messagepasser";
import { answerCalls } from "./answering.ts";

export type InteractiveCalls = typeof calls;

/** How long a person pauses between two keys, at most. */
const mostPauseMs = 20;

let client: messagepasser.Client | undefined;
let received = 0;
const echoes = new Map<string, messagepasser.Connection>();

const calls = {
  /** @param argument.module the client's code: "messagepasser", or a file of another version's. */
  connect: async (argument: Readonly<Record<"module" | "url" | "name" | "secret", string>>) => {
    const { module, url, name, secret } = argument;
    const from = module.startsWith("/") ? pathToFileURL(module).href : module;
    const { connect } = (await import(from)) as typeof messagepasser;
    client = await connect(url, { name, secret });
    client.handle("bulk", async (connection) => {
      for await (const message of connection) received += message.length;
    });
    client.handle("echo", async (connection) => {
      for await (const message of connection) await connection.send(message);
    });
    return null;
  },
  /** Sends on so many Connections, until the process ends. */
  sendBulk: async (argument: {
    readonly peer: string;
    readonly connections: number;
    readonly messageBytes: number;
  }) => {
    const { peer, connections, messageBytes } = argument;
    const message = new Uint8Array(messageBytes);
    for (let count = 0; count < connections; count++) {
      const connection = await client?.open(peer, "bulk");
      const send = async (): Promise<void> => {
        for (;;) await connection?.send(message);
      };
      void send();
    }
    return null;
  },
  /** Bytes of bulk so far. */
  received: () => Promise.resolve({ bytes: received, timeMs: performance.now() }),
  /** When each round trip began, and how long it took. */
  timeRoundTrips: async ({ peer, durationMs }: { readonly peer: string; readonly durationMs: number }) => {
    const connection = echoes.get(peer) ?? (await client?.open(peer, "echo"));
    if (connection === undefined) throw new TypeError("Not connected");
    echoes.set(peer, connection);
    const message = new Uint8Array(64);
    const trips: { readonly fromMs: number; readonly tookMs: number }[] = [];
    const startMs = performance.now();
    for (let fromMs = 0; fromMs < durationMs;) {
      const beforeMs = performance.now();
      fromMs = beforeMs - startMs;
      await connection.send(message);
      await connection.receive();
      trips.push({ fromMs, tookMs: performance.now() - beforeMs });
      await delay(Math.random() * mostPauseMs);
    }
    return trips;
  },
};

answerCalls(calls);
