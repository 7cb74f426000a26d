import { type Command, Option } from "commander";
import type { Client, Connection } from "messagepasser";
import { connectClient, lost, noteAway, noteListening, rootOf } from "../client.ts";
import { CommandServer } from "../command-server.ts";
import { pipe, stdio } from "../pipe.ts";
import { checkedProtocol, type ClientFlags, clientSettings, withClientFlags } from "../settings.ts";
import { aborted, onStop, untilStopped } from "../signals.ts";
import { durationForm, positiveDurationOf } from "../times.ts";
import { countUpTo } from "../counts.ts";

interface Flags extends ClientFlags {
  readonly maxCommands: number;
  /** In milliseconds. */
  readonly idleLimit: number;
}

const defaultMaxCommands = 100;

const examples = `
mp listen waits for a router that isn't there yet. While the router is away, the command says so on standard error. Of
several mp listen with one name and protocol, the newest gets all Connections.

Without a command, mp listen accepts one Connection, connects it to standard input and output, and exits when both
directions have ended. At a terminal it exits when the peer's direction ends.

With a command, mp listen runs the command once for each Connection, as its standard input and output, until SIGINT or
SIGTERM. The command finds the peer's name in MP_PEER and the protocol in MP_PROTOCOL. The command doesn't get MP_SECRET,
MP_ADMIN_TOKEN, MP_INVITATION, MP_TOKEN_KEY or MP_HEADERS, and gets MP_URL without its query. If the command exits with a
status other than 0, the Connection is aborted with a reason that includes the status. One peer, with its guests, gets at
most half of the commands that all other peers leave free.

Examples:
  mp listen backup > backup.tar
  mp listen greeting -- sh -c 'echo "Hello, $MP_PEER"'
  mp listen postgres -- socat - TCP:localhost:5432
  mp listen web --max-commands 1000 --idle-limit 5m -- socat - TCP:localhost:80`;

/** Adds `mp listen`. */
export function addListen(program: Command): void {
  withClientFlags(program.command("listen"))
    .description("accept Connections of a protocol")
    .usage("[options] <protocol> [-- <command> [parameters...]]")
    .argument("<protocol>", "the protocol to handle")
    .argument("[command...]", 'the command for each Connection, after "--"')
    .option(
      "--max-commands <count>",
      "the number of commands at once; more Connections are refused",
      countUpTo(),
      defaultMaxCommands,
    )
    .addOption(
      new Option("--idle-limit <duration>", `end a Connection on which nothing moves for this long, ${durationForm}`)
        .argParser(positiveDurationOf)
        .default(86_400_000, "1d"),
    )
    .addHelpText("after", examples)
    .action(listen);
}

async function listen(protocol: string, command: readonly string[], flags: Flags): Promise<void> {
  checkedProtocol(protocol);
  const settings = await clientSettings(flags);
  using stop = onStop();
  await using client = await connectClient(settings, { signal: stop.signal, isPatient: true });
  const [file, ...parameters] = command;
  if (file === undefined) await listenOnce(client, protocol, stop.signal);
  else {
    const { maxCommands, idleLimit } = flags;
    const server = new CommandServer(file, parameters, { maxAtOnce: maxCommands, idleMs: idleLimit });
    await listenWith(client, protocol, server, stop.signal);
  }
}

async function listenOnce(client: Client, protocol: string, signal: AbortSignal): Promise<void> {
  const first = Promise.withResolvers<Connection>();
  let isTaken = false;
  client.handle(protocol, (connection) => {
    if (isTaken) {
      connection.reject("This listener accepts only one Connection");
      return;
    }
    isTaken = true;
    first.resolve(connection);
  });
  noteListening(client, protocol);
  const connection = await Promise.race([first.promise, lost(client), aborted(signal)]);
  noteAway(connection);
  try {
    await pipe(connection, stdio, signal);
  } catch (error) {
    throw await rootOf(error, client);
  }
}

async function listenWith(client: Client, protocol: string, server: CommandServer, signal: AbortSignal): Promise<void> {
  client.handle(protocol, (connection) => server.serve(connection));
  noteListening(client, protocol);
  try {
    await untilStopped(Promise.race([lost(client), aborted(signal)]));
  } finally {
    await server.stop();
  }
}
