import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { type FaultKind, faultKinds } from "./faults.ts";

export const help = `Clients exchange checked messages over many Connections, while sockets are dropped and stalled, gates and strangers answer
for the router, clients sleep, clocks jump, and the router is hibernated, aborted and killed. Nothing may be lost, duplicated, reordered or stuck.

Usage: npm run soak -- [options]

  --seconds N    how long faults come; then up to 90 s for what is open to finish (default: 60)
  --seed S       decides streams and faults, as far as timing lets it (default: a random one)
  --clients C    how many clients, in processes of 4 (default: 12)
  --shards N     how many shards the realm has at first, two more come meanwhile (default: 1 to the end); each fault of an
                 object strikes one of them
  --rate R       faults a second (default: 2.5); 0 for none, which makes the run fail in the end
  --only KINDS   only these faults, as a list with commas, of:
                 ${faultKinds.slice(0, 8).join(", ")},
                 ${faultKinds.slice(8).join(", ")}
  --json         print the result as JSON
  --help         print this

The result is one line on standard output; what happens meanwhile, and details of failures, go to standard error.
Exit status: 0 if all is well, 1 if not (or if there were no messages or no faults), 2 for a wrong option.

Examples:
  npm run soak                                      a minute, with a seed of its own
  npm run soak -- --seconds 600 --seed 7            ten minutes: more than 1,000 faults
  npm run soak -- --seconds 30 --only kill,abort    only what hits the router hardest
  npm run soak -- --seconds 20 --seed 7 --json      for a script
`;

export interface Options {
  readonly seconds: number;
  readonly seed: number;
  readonly clients: number;
  readonly shards: number;
  /** How many shards the realm has in the end. */
  readonly lastShards: number;
  readonly faultsPerSecond: number;
  readonly kinds: readonly FaultKind[];
  readonly isJson: boolean;
}

/** The options, or `undefined` where help was asked for. @throws Error that says what is wrong with them */
export function optionsFrom(parameters: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string" },
      clients: { type: "string", default: "12" },
      shards: { type: "string" },
      rate: { type: "string", default: "2.5" },
      only: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const shards = values.shards === undefined ? 1 : numberFrom("--shards", values.shards, 1, 62);
  return {
    seconds: numberFrom("--seconds", values.seconds, 1, 86_400),
    seed: values.seed === undefined ? randomInt(1_000_000) : numberFrom("--seed", values.seed, 0, 0xffff_ffff),
    clients: numberFrom("--clients", values.clients, 2, 200),
    shards,
    lastShards: values.shards === undefined ? 1 : shards + 2,
    faultsPerSecond: numberFrom("--rate", values.rate, 0, 50, /^\d+(\.\d+)?$/),
    kinds: values.only === undefined ? faultKinds : kindsFrom(values.only),
    isJson: values.json,
  };
}

function numberFrom(option: string, text: string, least: number, most: number, pattern = /^\d+$/): number {
  const number = Number(text);
  if (pattern.test(text) && number >= least && number <= most) return number;
  throw new Error(`${option} must be a number from ${least} to ${most}, not "${text}"`);
}

function kindsFrom(list: string): FaultKind[] {
  return list.split(",").map((name) => {
    const kind = faultKinds.find((known) => known === name.trim());
    if (kind === undefined) throw new Error(`--only takes ${faultKinds.join(", ")}; not "${name}"`);
    return kind;
  });
}
