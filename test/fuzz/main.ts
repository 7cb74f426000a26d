// `npm run fuzz`: changed vectors for the decoders of all formats and for a router. options.ts says how to run it; the
// result is one line.
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Format } from "@messagepasser/protocol/formats";
import { check, failureOf, kindOf, smallest } from "./check.ts";
import { Inputs } from "./inputs.ts";
import { help, type Options, optionsFrom } from "./options.ts";

/** Of different kinds. */
const maxFailures = 10;
const lineEveryMs = 5_000;
/** How long a failing input is made shorter. */
const patienceMs = 10_000;
/** Longer digits fit no command line. */
const maxDigits = 20_000;

/** The outcome of a format's inputs. */
interface Tally {
  accepted: number;
  refused: number;
  slowestMs: number;
  slowest: string;
}

function hexOf(input: readonly Uint8Array[]): string {
  return input.map((bytes) => Buffer.from(bytes).toString("hex")).join(",");
}

function tellFailure({ subprotocol }: Format, input: readonly Uint8Array[], error: Error): void {
  const digits = hexOf(input);
  console.error(`\nFAILURE in ${subprotocol}: ${error.stack ?? error.message}`);
  let given = digits;
  if (digits.length > maxDigits) {
    const file = join(tmpdir(), `messagepasser-fuzz-${Date.now()}.hex`);
    writeFileSync(file, digits);
    given = `@${file}`;
  } else console.error(`Input: ${digits}`);
  console.error(`Again: npm run fuzz -- --replay ${subprotocol} ${given}`);
  console.error("Keep it as a vector in protocol/vectors once it is mended.\n");
}

function fuzz({ seconds, seed, formats }: Extract<Options, { seed: number }>): number {
  const all = formats.map((format) => ({
    format,
    inputs: new Inputs(format),
    tally: { accepted: 0, refused: 0, slowestMs: 0, slowest: "" },
  }));
  const begunMs = performance.now();
  const endMs = begunMs + seconds * 1_000;
  let toldMs = begunMs;
  let failures = 0;
  /** Failures so far, so that each is reported once. */
  const kinds = new Set<string>();
  for (let number = 0; performance.now() < endMs && kinds.size < maxFailures; number++) {
    for (const { format, inputs, tally } of all) {
      const input = inputs.at(seed, number);
      const startMs = performance.now();
      try {
        if (check(format, input)) tally.accepted++;
        else tally.refused++;
      } catch (problem) {
        failures++;
        const kind = `${format.subprotocol} ${kindOf(problem)}`;
        if (kinds.has(kind)) continue;
        kinds.add(kind);
        const smaller = smallest(format, input, performance.now() + patienceMs);
        const error = failureOf(format, smaller);
        if (error !== undefined) tellFailure(format, smaller, error);
        continue;
      }
      const tookMs = performance.now() - startMs;
      if (tookMs > tally.slowestMs) {
        tally.slowestMs = tookMs;
        tally.slowest = `number ${number}, ${input.reduce((sum, { length }) => sum + length, 0)} bytes`;
      }
    }
    if (performance.now() > toldMs + lineEveryMs) {
      toldMs = performance.now();
      console.error(
        `fuzz: ${Math.round((toldMs - begunMs) / 1_000)} s, ${number + 1} inputs of each format, ${failures} failures`,
      );
    }
  }
  for (const { format, tally } of all)
    console.error(`${format.subprotocol}: slowest ${tally.slowestMs.toFixed(1)} ms (${tally.slowest})`);
  const sum = (count: (tally: Tally) => number): number => all.reduce((total, { tally }) => total + count(tally), 0);
  const [accepted, refused] = [sum((tally) => tally.accepted), sum((tally) => tally.refused)];
  console.log(
    [
      `fuzz: seed=${seed} seconds=${seconds} inputs=${accepted + refused + failures}`,
      `accepted=${accepted} refused=${refused} failures=${failures}`,
      ...all.map(
        ({ format, tally }) =>
          `${format.subprotocol}=${tally.accepted}/${tally.refused}/${tally.slowestMs.toFixed(0)}ms`,
      ),
    ].join(" "),
  );
  return failures === 0 ? 0 : 1;
}

function replay(format: Format, messages: readonly Uint8Array[]): number {
  const error = failureOf(format, messages);
  if (error !== undefined) {
    console.error(error.stack ?? error.message);
    return 1;
  }
  console.log(check(format, messages) ? "accepted" : "refused");
  return 0;
}

let options: Options | undefined;
try {
  options = optionsFrom(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\nSee npm run fuzz -- --help`);
  process.exit(2);
}
if (options === undefined) process.stdout.write(help);
else process.exit("replay" in options ? replay(options.replay, options.messages) : fuzz(options));
