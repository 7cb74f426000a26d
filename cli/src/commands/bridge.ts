import { BlockList, isIP } from "node:net";
import { lookup } from "node:dns/promises";
import { type Command, InvalidArgumentError } from "commander";
import { Bridge, hostAndPort, type ListenAddress } from "../original/bridge.ts";
import { note, print, printJson } from "../output.ts";
import { routerSettings, type RouterFlags, withGraceFlag, withRouterFlags } from "../settings.ts";
import { aborted, onStop } from "../signals.ts";
import { Failure, Interrupted, statuses } from "../status.ts";

interface Flags extends RouterFlags {
  readonly listen: ListenAddress;
  readonly expose?: true;
  readonly json?: true;
}

const loopbackHost = "127.0.0.1";
const maxPort = 65_535;

const examples = `
For programs that were written for the original MessagePasser, in Go or in any language, and speak its wire over TCP: gob
or JSON. They connect here instead of to its server, unchanged; each becomes a client of the router, by the name and the
secret that it sends first, and so reaches all other clients of the realm. "mp client add" makes the secret.

Names and secrets pass over TCP as plain text, so it listens on this machine's own addresses only, which no other
machine reaches. --expose takes others as well: where you trust everybody on that network.

Prints the address that it listens on. Runs until SIGINT or SIGTERM, and then lets what was sent arrive.

Examples:
  mp bridge --listen 127.0.0.1:7000
  mp bridge --listen 127.0.0.1:0 --json | jq .port
  mp bridge --listen 10.0.0.5:7000 --expose --url wss://router.example.com`;

/** Adds `mp bridge`. */
export function addBridge(program: Command): void {
  withGraceFlag(withRouterFlags(program.command("bridge")))
    .description("take programs of the original MessagePasser over TCP")
    .requiredOption("--listen <address>", "where to listen: a host and a port, or a port alone", addressOf)
    .option("--expose", "listen on an address that other machines reach, where secrets pass in plain text")
    .option("--json", "print the address as JSON")
    .addHelpText("after", examples)
    .action(bridge);
}

async function bridge(flags: Flags): Promise<void> {
  const settings = await routerSettings(flags);
  if (flags.expose !== true) await refuseOthers(flags.listen);
  using stop = onStop();
  const server = await Bridge.listen(flags.listen, settings);
  const { address } = server;
  await (flags.json ? printJson(address) : print(`${hostAndPort(address)}\n`));
  note(`Programs that connect to ${hostAndPort(address)} reach realm "${settings.realm}" of ${settings.url.host}`);
  try {
    await Promise.race([server.failed, aborted(stop.signal)]);
  } catch (error) {
    // Being told to stop is how this command ends well.
    if (!(error instanceof Interrupted)) throw error;
  } finally {
    await server.stop();
  }
}

/** What an address resolves to is what counts: a name may mean any machine. */
async function refuseOthers({ host }: ListenAddress): Promise<void> {
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8, "ipv4");
  loopback.addAddress("::1", "ipv6");
  const addresses = await lookup(host, { all: true }).catch(() => []);
  if (addresses.length === 0) throw new Failure(statuses.usage, `Cannot listen on ${host}: there is no such host`);
  if (addresses.every(({ address, family }) => loopback.check(address, family === 6 ? "ipv6" : "ipv4"))) return;
  const why = "other machines can reach it, and secrets pass in plain text";
  const remedy = `listen on ${loopbackHost}, or add --expose if you trust all who may listen in`;
  throw new Failure(statuses.usage, `Does not listen on ${host}: ${why}: ${remedy}`);
}

function addressOf(text: string): ListenAddress {
  const match = /^(?:(?:\[([\da-fA-F:]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(text);
  const [, address6, host, digits] = match ?? [];
  const port = Number(digits);
  const isAddress = address6 === undefined || isIP(address6) === 6;
  if (match === null || !isAddress || port > maxPort)
    throw new InvalidArgumentError("Write a host and a port, as in 127.0.0.1:7000 or [::1]:7000.");
  return { host: address6 ?? host ?? loopbackHost, port };
}
