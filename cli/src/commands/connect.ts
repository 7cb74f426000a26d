import { splitLabel } from "@messagepasser/protocol";
import type { Command } from "commander";
import { type Client, type Connection, ConnectionError } from "messagepasser";
import { connectClient, noteAway, rootOf } from "../client.ts";
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
    .argument("<peer>", 'the client to open to, as in "alice", or "alice:desk-1" for one instance of it')
    .argument("<protocol>", "the protocol of the Connection")
    .option("--wait", "wait until the router and the peer are there")
    .addHelpText("after", examples)
    .action(connect);
}

async function connect(peer: string, protocol: string, flags: Flags): Promise<void> {
  checkedPeer(peer);
  checkedProtocol(protocol);
  await connectWith(await clientSettings(flags), peer, protocol, flags.wait === true);
}

/**
 * Opens a Connection and connects it to standard input and output.
 *
 * @param isPatient whether to wait for the router and the peer if they aren't there yet.
 */
export async function connectWith(
  settings: ClientSettings,
  peer: string,
  protocol: string,
  isPatient: boolean,
): Promise<void> {
  using stop = onStop();
  await using client = await connectClient(settings, { signal: stop.signal, isPatient });
  try {
    const connection = await open(client, peer, protocol, { signal: stop.signal, isPatient });
    noteAway(connection);
    await pipe(connection, stdio, stop.signal);
  } catch (error) {
    throw await rootOf(error, client);
  }
}

async function open(
  client: Client,
  peer: string,
  protocol: string,
  { signal, isPatient }: { readonly signal: AbortSignal; readonly isPatient: boolean },
): Promise<Connection> {
  const { name, instance } = splitLabel(peer);
  for (let waitMs = 0; ; waitMs = Infinity) {
    try {
      return await client.open(name, protocol, { signal, waitMs, instance });
    } catch (error) {
      const isAbsent = error instanceof ConnectionError && (error.code === "peer-absent" || error.code === "peer-gone");
      if (!isPatient || !isAbsent) throw error;
      if (waitMs === 0) note(`Waiting for "${peer}"`);
    }
  }
}
