import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Format, formatOf, formats } from "@messagepasser/protocol/formats";

export const help = `Changes the vectors of every format at random, and gives them to its decoder and to a router with clients of all formats.
Nothing but a refusal may come of it, and nobody else may suffer.

Usage: npm run fuzz -- [options]

  --seconds N            for how long (default: 60)
  --seed S               decides all inputs, of the same vectors (default: a random one)
  --only FORMAT          inputs of one format only
  --replay FORMAT HEX    one input again, as a failure prints it; @FILE reads the digits from a file
  --help                 print this

Formats: ${formats.map(({ subprotocol }) => subprotocol).join(", ")}

The result is one line on standard output: per format how many inputs were accepted and how many refused, and the longest
that one took. Exit status: 0 if all is well, 1 if not, 2 for a wrong option.

Examples:
  npm run fuzz                                  a minute, with a seed of its own
  npm run fuzz -- --seconds 600 --seed 7        ten minutes
  npm run fuzz -- --replay mp.v1.json 5b5d      what happens with "[]"
`;

export type Options =
  | { readonly seconds: number; readonly seed: number; readonly formats: readonly Format[] }
  | { readonly replay: Format; readonly messages: readonly Uint8Array[] };

/** The options, or `undefined` where help was asked for. @throws Error that says what is wrong with them */
export function optionsFrom(parameters: readonly string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args: [...parameters],
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string" },
      only: { type: "string" },
      replay: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  if (values.replay !== undefined)
    return { replay: formatFrom("--replay", values.replay), messages: messagesFrom(positionals) };
  if (positionals.length > 0) throw new Error(`Unexpected "${positionals.join(" ")}"`);
  return {
    seconds: numberFrom("--seconds", values.seconds, 86_400),
    seed: values.seed === undefined ? randomInt(1_000_000) : numberFrom("--seed", values.seed, 0xffff_ffff),
    formats: values.only === undefined ? formats : [formatFrom("--only", values.only)],
  };
}

function formatFrom(option: string, name: string): Format {
  const format = formatOf(name);
  if (format === undefined) throw new Error(`${option} takes a format, not "${name}"`);
  return format;
}

/** Messages as a failure prints them: hexadecimal digits, with commas between several. */
function messagesFrom([given = "", ...more]: readonly string[]): Uint8Array[] {
  const digits = given.startsWith("@") ? readFileSync(given.slice(1), "utf8").trim() : given;
  if (more.length > 0 || !/^[0-9a-f,]*$/.test(digits))
    throw new Error("--replay takes a format, then hexadecimal digits");
  return digits.split(",").map((message) => new Uint8Array(Buffer.from(message, "hex")));
}

function numberFrom(option: string, text: string, most: number): number {
  if (/^\d+$/.test(text) && Number(text) <= most) return Number(text);
  throw new Error(`${option} must be a whole number up to ${most}, not "${text}"`);
}
