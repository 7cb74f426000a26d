import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { type Client, type Connection, ConnectionError } from "messagepasser";
import { connectClient, lost, rootOf } from "../client.ts";
import { note } from "../output.ts";
import { pipe, stdio } from "../pipe.ts";
import {
  checkedPeer,
  checkedProtocol,
  type ClientFlags,
  type ClientSettings,
  clientSettings,
  withClientFlags,
} from "../settings.ts";
import { onStop } from "../signals.ts";

interface Flags extends ClientFlags {
  readonly wait?: true;
}

const minDelayMs = 100;
const firstDelayMs = 250;
const maxDelayMs = 5_000;

const examples = `
Standard input goes to the peer, and the peer's bytes go to standard output, unchanged. The end of input ends only that
direction. The command exits when both directions have ended. At a terminal it exits when the peer's direction ends.

Examples:
  mp connect bob chat
  tar c photos | mp connect bob backup --wait
  echo ping | mp connect bob echo || echo "failed with status $?"
  ssh -o ProxyCommand='mp connect bob ssh' bob`;

/** Adds `mp connect`. */
export function addConnect(program: Command): void {
  withClientFlags(program.command("connect"))
    .description("open a Connection to a peer, and connect it to standard input and output")
    .argument("<peer>", "the name of the client to open to")
    .argument("<protocol>", "the protocol of the Connection")
    .option("--wait", "wait until the peer is connected")
    .addHelpText("after", examples)
    .action(connect);
}

async function connect(peer: string, protocol: string, flags: Flags): Promise<void> {
  checkedPeer(peer);
  checkedProtocol(protocol);
  await connectWith(await clientSettings(flags), peer, protocol, flags.wait === true);
}

/** Opens a Connection and connects it to standard input and output. @param isPatient whether to wait for an absent peer */
export async function connectWith(
  settings: ClientSettings,
  peer: string,
  protocol: string,
  isPatient: boolean,
): Promise<void> {
  using stop = onStop();
  await using client = await connectClient(settings, stop.signal);
  try {
    const connection = await (isPatient ? openPatiently : open)(client, peer, protocol, stop.signal);
    await pipe(connection, stdio, stop.signal);
  } catch (error) {
    throw await rootOf(error, client);
  }
}

function open(client: Client, peer: string, protocol: string, signal: AbortSignal): Promise<Connection> {
  return client.open(peer, protocol, { signal });
}

/** Opens once the peer is connected: tries with exponential backoff and full jitter. */
async function openPatiently(client: Client, peer: string, protocol: string, signal: AbortSignal): Promise<Connection> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await open(client, peer, protocol, signal);
    } catch (error) {
      const isAbsent = error instanceof ConnectionError && (error.code === "peer-absent" || error.code === "peer-gone");
      if (!isAbsent) throw error;
      if (attempt === 0) note(`Waiting for "${peer}"`);
    }
    const mostMs = Math.min(maxDelayMs, firstDelayMs * 2 ** attempt);
    const nap = delay(minDelayMs + Math.random() * (mostMs - minDelayMs), undefined, { signal });
    // An aborted delay rejects with an error of its own, which says less than the signal's reason.
    await Promise.race([nap.catch(() => undefined), lost(client)]);
    signal.throwIfAborted();
  }
}
