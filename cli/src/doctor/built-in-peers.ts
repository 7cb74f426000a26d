import { type Client, ConnectionError } from "messagepasser";
import { checkEcho, endsWell, protocol, within, withConnection } from "./exchange.ts";
import { wrong } from "./examination.ts";

type PeerCheck = (client: Client, signal: AbortSignal) => Promise<string>;

const slowBytes = 8_192;

const checks: ReadonlyMap<string, PeerCheck> = new Map<string, PeerCheck>([
  ["$echo", checkEcho],
  ["$sink", (client, signal) => checkSink(client, "$sink", 100_000, signal)],
  ["$slow", (client, signal) => checkSink(client, "$slow", slowBytes, signal)],
  ["$source", checkSource],
  ["$half-close", checkHalfClose],
  ["$reject", checkReject],
  ["$reset", checkReset],
]);

/** The names of the router's built-in peers. */
export const builtInPeers: readonly string[] = Array.from(checks.keys());

/** Checks that a built-in peer does what PROTOCOL.md says. Returns what the peer did. @throws Failure if it did something else */
export async function checkBuiltInPeer(name: string, client: Client, signal: AbortSignal): Promise<string> {
  try {
    return (await checks.get(name)?.(client, signal)) ?? "";
  } catch (error) {
    if (!(error instanceof ConnectionError && error.code === "peer-absent")) throw error;
    throw wrong(
      `The router has no ${name}, since it is older than this mp: its owner should deploy the current version`,
    );
  }
}

/** Checks a peer that reads everything, and ends when the client does. */
async function checkSink(client: Client, peer: string, byteCount: number, signal: AbortSignal): Promise<string> {
  return await withConnection(client, peer, protocol, signal, async (connection) => {
    await connection.send(new Uint8Array(byteCount), { signal });
    await connection.end({ signal });
    if ((await connection.receive({ signal })) !== undefined)
      throw wrong(`${peer} sent a message, which it never should`);
    await endsWell(connection, signal);
    return `read ${byteCount.toLocaleString("en")} bytes and ended`;
  });
}

/** Checks the peer that sends what the protocol asks for. */
async function checkSource(client: Client, signal: AbortSignal): Promise<string> {
  return await withConnection(client, "$source", "10x64", signal, async (connection) => {
    for (let count = 0; ; count++) {
      const message = await connection.receive({ signal });
      if (message === undefined && count === 10) break;
      const isRight =
        message instanceof Uint8Array && message.length === 64 && message.every((byte, at) => byte === at);
      if (!isRight)
        throw wrong(`$source should send 10 messages of 64 bytes, but its message ${count + 1} is different`);
    }
    await connection.end({ signal });
    await endsWell(connection, signal);
    return "sent 10 messages of 64 bytes, as asked";
  });
}

/** Checks the peer that ends its direction at once, and continues to read. */
async function checkHalfClose(client: Client, signal: AbortSignal): Promise<string> {
  return await withConnection(client, "$half-close", protocol, signal, async (connection) => {
    const [word, end] = [await connection.receive({ signal }), await connection.receive({ signal })];
    if (word !== "no more from here" || end !== undefined)
      throw wrong('$half-close should send "no more from here" and end its direction, but did not');
    await connection.send("still here", { signal });
    await connection.end({ signal });
    await endsWell(connection, signal);
    return "ended its direction and went on reading";
  });
}

/** Checks the peer that rejects, with the code that the protocol names. */
async function checkReject(client: Client, signal: AbortSignal): Promise<string> {
  for (const [asked, code] of [
    [protocol, "rejected"],
    ["100", "unknown-protocol"],
  ] as const) {
    const answer = await client.open("$reject", asked, { signal }).then(
      () => "an accept",
      (error: unknown) => {
        if (error instanceof ConnectionError) return error.code;
        throw error;
      },
    );
    if (answer !== code)
      throw wrong(`$reject should answer "${asked}" with the code ${code}, but answered with ${answer}`);
  }
  return "rejected with the codes that were asked for";
}

/** Checks the peer that accepts, and aborts at the first message. */
async function checkReset(client: Client, signal: AbortSignal): Promise<string> {
  return await withConnection(client, "$reset", protocol, signal, async (connection) => {
    await connection.send("now", { signal });
    const error = await within(connection.closed, signal);
    if (error?.code !== "aborted")
      throw wrong(`$reset should abort the Connection, but it ended with ${error?.code ?? "a close"}`);
    return "aborted at the first message";
  });
}
