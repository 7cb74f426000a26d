const kept = 24;

/** The last things that happened somewhere, with their times: for whoever wants to know how a failure came about. */
export class Journal {
  readonly #epochMs: number;
  readonly #lines: string[] = [];

  /** @param epochMs what times count from. */
  constructor(epochMs: number) {
    this.#epochMs = epochMs;
  }

  get atMs(): number {
    return Date.now() - this.#epochMs;
  }

  note(what: string): void {
    this.#lines.push(`${secondsOf(this.atMs)} ${what}`);
    if (this.#lines.length > kept) this.#lines.shift();
  }

  lines(): readonly string[] {
    return [...this.#lines];
  }
}

/** As in "12.345 s". */
export function secondsOf(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`;
}
