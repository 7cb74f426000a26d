import { type Command, InvalidArgumentError } from "commander";
import type { Client, Connection } from "messagepasser";
import { connectClient, lost, noteListening, rootOf } from "../client.ts";
import { CommandServer } from "../command-server.ts";
import { pipe } from "../pipe.ts";
import { checkedProtocol, type ClientFlags, clientSettings, withClientFlags } from "../settings.ts";
import { aborted, onStop } from "../signals.ts";
import { Interrupted } from "../status.ts";

interface Flags extends ClientFlags {
  readonly maxCommands: number;
}

const defaultMaxCommands = 100;

const examples = `
Without a command: takes one Connection, wires it to standard input and output, and exits when both directions have
ended. At a terminal, the end of the other side is the end of this one too.

With a command: runs it once for each Connection, which is its standard input and output, until SIGINT or SIGTERM.
It finds the peer's name in MP_PEER and the protocol in MP_PROTOCOL; MP_SECRET and MP_ADMIN_TOKEN are kept from it.
When it ends with another status than 0, the Connection is aborted with a reason that says which.

Examples:
  mp listen backup > backup.tar
  mp listen greeting -- sh -c 'echo "Hello, $MP_PEER"'
  mp listen postgres -- socat - TCP:localhost:5432`;

/** Adds `mp listen`. */
export function addListen(program: Command): void {
  withClientFlags(program.command("listen"))
    .description("take Connections of a protocol")
    .usage("[options] <protocol> [-- <command> [parameters...]]")
    .argument("<protocol>", "the protocol to handle")
    .argument("[command...]", 'a command for each Connection, after "--"')
    .option("--max-commands <count>", "refuse Connections past this many commands at once", countOf, defaultMaxCommands)
    .addHelpText("after", examples)
    .action(listen);
}

async function listen(protocol: string, command: readonly string[], flags: Flags): Promise<void> {
  checkedProtocol(protocol);
  const settings = await clientSettings(flags);
  using stop = onStop();
  await using client = await connectClient(settings, stop.signal);
  const [file, ...parameters] = command;
  if (file === undefined) await listenOnce(client, protocol, stop.signal);
  else await listenWith(client, protocol, new CommandServer(file, parameters, flags.maxCommands), stop.signal);
}

async function listenOnce(client: Client, protocol: string, signal: AbortSignal): Promise<void> {
  const first = Promise.withResolvers<Connection>();
  let isTaken = false;
  client.handle(protocol, (connection) => {
    if (isTaken) {
      connection.reject("This listener takes one Connection only");
      return;
    }
    isTaken = true;
    first.resolve(connection);
  });
  noteListening(client, protocol);
  const connection = await Promise.race([first.promise, lost(client), aborted(signal)]);
  try {
    await pipe(connection, { input: process.stdin, output: process.stdout }, signal);
  } catch (error) {
    throw await rootOf(error, client);
  }
}

async function listenWith(client: Client, protocol: string, server: CommandServer, signal: AbortSignal): Promise<void> {
  client.handle(protocol, (connection) => server.serve(connection));
  noteListening(client, protocol);
  try {
    await Promise.race([lost(client), aborted(signal)]);
  } catch (error) {
    // Being told to stop is how this command ends well.
    if (!(error instanceof Interrupted)) throw error;
  } finally {
    await server.stop();
  }
}

function countOf(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("It must be a whole number, at least 1.");
  return count;
}
