// The soak's output: its result goes to standard output, everything else to standard error.
import type { Failure } from "./calls.ts";
import type { Injector } from "./injector.ts";
import { secondsOf } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import type { Options } from "./options.ts";

/** How many failures are told in full. */
const shownFailures = 8;
const everyMs = { onTerminal: 1_000, elsewhere: 5_000 };

/** The result of a run. */
export interface Result {
  readonly seed: number;
  readonly seconds: number;
  readonly faults: number;
  readonly messages: number;
  readonly bytes: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly stuck: number;
}

/** Those and more, for `--json`. */
export interface FullResult extends Result {
  readonly faultsByKind: Readonly<Record<string, number>>;
  readonly streams: number;
  readonly reopened: number;
  readonly resumed: number;
}

export function resultOf({ seed, seconds }: Options, ledger: Ledger, injector: Injector): FullResult {
  const { messages, bytes, reopened, resumed } = ledger.counts;
  const { lost, duplicated, reordered, stuck } = ledger.totals;
  return {
    seed,
    seconds,
    faults: injector.count,
    messages,
    bytes,
    lost,
    duplicated,
    reordered,
    stuck,
    faultsByKind: injector.counts,
    streams: ledger.wholeStreams,
    reopened,
    resumed,
  };
}

export function isGood({ faults, messages, lost, duplicated, reordered, stuck }: Result): boolean {
  return faults > 0 && messages > 0 && lost + duplicated + reordered + stuck === 0;
}

/** The one line. */
export function lineOf({ seed, seconds, faults, messages, bytes, lost, duplicated, reordered, stuck }: Result): string {
  const values = { seed, seconds, faults, messages, bytes, lost, duplicated, reordered, stuck };
  return `soak: ${Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")}`;
}

/** Says how the run goes, until it's disposed of. */
export class Progress implements Disposable {
  readonly #ledger: Ledger;
  readonly #injector: Injector;
  readonly #epochMs: number;
  readonly #timer: NodeJS.Timeout;
  #phase = "starts";
  #last = { messages: 0, atMs: Date.now() };
  #toldFailures = 0;

  constructor(ledger: Ledger, injector: Injector, epochMs: number) {
    this.#ledger = ledger;
    this.#injector = injector;
    this.#epochMs = epochMs;
    this.#timer = setInterval(
      () => {
        this.#tell();
      },
      process.stderr.isTTY ? everyMs.onTerminal : everyMs.elsewhere,
    );
  }

  phase(phase: string): void {
    this.#phase = phase;
    this.#tell();
  }

  /** A line of its own. */
  say(text: string): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
    process.stderr.write(`${text}\n`);
  }

  /** Tells of a failure in full, if it's one of the first. */
  failure(failure: Failure): void {
    this.#toldFailures++;
    if (this.#toldFailures === shownFailures + 1) this.say("… more failures: only counted");
    if (this.#toldFailures <= shownFailures) this.say(fullText(failure, this.#injector));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
  }

  #tell(): void {
    const { messages, bytes, open, reopened, resumed } = this.#ledger.counts;
    const { lost, duplicated, reordered, stuck } = this.#ledger.totals;
    const nowMs = Date.now();
    const rate = ((messages - this.#last.messages) * 1_000) / Math.max(1, nowMs - this.#last.atMs);
    this.#last = { messages, atMs: nowMs };
    // A narrow terminal cuts the end off: what matters most comes first.
    const parts = [
      `${Math.round((nowMs - this.#epochMs) / 1_000)} s, ${this.#phase}`,
      `${this.#injector.count} faults`,
      `lost ${lost}, duplicated ${duplicated}, reordered ${reordered}, stuck ${stuck}`,
      `${messages} messages (${Math.round(rate)}/s), ${Math.round(bytes / 1e6)} MB`,
      `${this.#ledger.wholeStreams} streams done, ${open} ends open, ${reopened} reopened, ${resumed} resumed`,
    ];
    const line = parts.join(" · ");
    if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${line.slice(0, process.stderr.columns - 1)}`);
    else process.stderr.write(`${line}\n`);
  }
}

function fullText(failure: Failure, injector: Injector): string {
  const { what, atMs, where, detail, events, clients } = failure;
  const indented = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [`    ${title}:`, ...lines.map((line) => `      ${line}`)];
  return [
    `✗ ${what} at ${secondsOf(atMs)}: ${where}`,
    `    ${detail}`,
    ...indented("events", events),
    ...indented("faults before", injector.recent(clients, atMs)),
  ].join("\n");
}
