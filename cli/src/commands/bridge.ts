import { BlockList, isIP } from "node:net";
import { lookup } from "node:dns/promises";
import { type Command, InvalidArgumentError } from "commander";
import { Bridge, hostAndPort, type ListenAddress } from "../original/bridge.ts";
import { note, print, printJson } from "../output.ts";
import { routerSettings, type RouterFlags, withGraceFlag, withRouterFlags } from "../settings.ts";
import { aborted, onStop, untilStopped } from "../signals.ts";
import { Failure, statuses } from "../status.ts";

interface Flags extends RouterFlags {
  readonly listen: ListenAddress;
  readonly expose?: true;
  readonly json?: true;
}

const loopbackHost = "127.0.0.1";
const maxPort = 65_535;

const examples = `
Programs that were written for the original MessagePasser, in Go or in any other language, connect to the bridge instead of
the original's server. They need no change. The bridge speaks the original's wire over TCP, in gob or JSON. Each program
becomes a client of the router, with the name and secret that it sends first, and can reach every client of the realm.
"mp client add" makes the secret.

Names and secrets cross TCP as plain text, so the bridge listens on loopback addresses only, which no other machine can
reach. --expose allows other addresses. Use it only if you trust everybody on that network.

The bridge prints its address and runs until SIGINT or SIGTERM. Messages that were sent before still arrive.

Examples:
  mp bridge --listen 127.0.0.1:7000
  mp bridge --listen 127.0.0.1:0 --json | jq .port
  mp bridge --listen 10.0.0.5:7000 --expose --url wss://router.example.com`;

/** Adds `mp bridge`. */
export function addBridge(program: Command): void {
  withGraceFlag(withRouterFlags(program.command("bridge")))
    .description("connect programs of the original MessagePasser over TCP")
    .requiredOption("--listen <address>", "the host and port to listen on, or only a port", addressOf)
    .option("--expose", "allow an address that other machines can reach; secrets cross the network as plain text")
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
  await (flags.json ? printJson(address) : print(hostAndPort(address)));
  note(`Programs that connect to ${hostAndPort(address)} reach realm "${settings.realm}" of ${settings.url.host}`);
  try {
    await untilStopped(Promise.race([server.failed, aborted(stop.signal)]));
  } finally {
    await server.stop();
  }
}

/** Refuses addresses that other machines can reach. A host name counts as the addresses that it resolves to. */
async function refuseOthers({ host }: ListenAddress): Promise<void> {
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8, "ipv4");
  loopback.addAddress("::1", "ipv6");
  const addresses = await lookup(host, { all: true }).catch(() => []);
  if (addresses.length === 0) throw new Failure(statuses.usage, `Cannot listen on ${host}: no such host`);
  if (addresses.every(({ address, family }) => loopback.check(address, family === 6 ? "ipv6" : "ipv4"))) return;
  const why = "other machines can reach it, and secrets cross the network as plain text";
  const remedy = `listen on ${loopbackHost}, or add --expose if you trust the network`;
  throw new Failure(statuses.usage, `Refusing to listen on ${host}: ${why}. To fix it, ${remedy}`);
}

function addressOf(text: string): ListenAddress {
  const match = /^(?:(?:\[([\da-fA-F:]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(text);
  const [, address6, host, digits] = match ?? [];
  const port = Number(digits);
  const isAddress = address6 === undefined || isIP(address6) === 6;
  if (match === null || !isAddress || port > maxPort)
    throw new InvalidArgumentError("Give a host and a port, as in 127.0.0.1:7000 or [::1]:7000.");
  return { host: address6 ?? host ?? loopbackHost, port };
}
