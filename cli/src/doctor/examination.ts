import { Failure, type Status, statuses, statusOf } from "../status.ts";
import { aborted } from "../signals.ts";

/** What a check that went well has to say. */
export interface Finding {
  readonly detail: string;
  readonly value?: number;
  readonly unit?: "ms" | "MB/s";
}

/** A check, and what came out. */
export interface Check extends Finding {
  readonly name: string;
  readonly outcome: "ok" | "failed" | "skipped";
}

/** Who shows how far it is. */
export interface Onlooker {
  begins(name: string): void;
  ends(check: Check): Promise<void>;
}

/** How long a check may take, where nothing else is said. */
const defaultTimeoutMs = 10_000;

/** Checks one after the other, each bounded in time. Nothing that fails ends it. */
export class Examination {
  readonly checks: Check[] = [];
  /** The exit status that fits the first failure. */
  status: Status = statuses.done;
  readonly #onlooker: Onlooker;

  constructor(onlooker: Onlooker) {
    this.#onlooker = onlooker;
  }

  /** The first check that failed. */
  get firstFailure(): Check | undefined {
    return this.checks.find(({ outcome }) => outcome === "failed");
  }

  /** How many checks had an outcome. */
  count(outcome: Check["outcome"]): number {
    return this.checks.filter((check) => check.outcome === outcome).length;
  }

  /** Runs a check. Returns whether it went well. @param work is over when the signal fires. */
  async run(
    name: string,
    work: (signal: AbortSignal) => Promise<Finding>,
    timeoutMs = defaultTimeoutMs,
  ): Promise<boolean> {
    this.#onlooker.begins(name);
    const controller = new AbortController();
    const timer = setTimeout(() => {
      controller.abort(new Failure(statuses.unreachable, `It was not over within ${timeoutMs / 1_000} s`));
    }, timeoutMs);
    try {
      const finding = await Promise.race([work(controller.signal), aborted(controller.signal)]);
      await this.#add({ name, outcome: "ok", ...finding });
      return true;
    } catch (error) {
      if (this.status === statuses.done) this.status = failureStatus(error);
      await this.#add({ name, outcome: "failed", detail: error instanceof Error ? error.message : String(error) });
      return false;
    } finally {
      clearTimeout(timer);
      // Whatever it has left behind need not go on.
      controller.abort(new Failure(statuses.failed, "The check is over"));
    }
  }

  /** Leaves a check out. */
  async skip(name: string, why: string): Promise<void> {
    await this.#add({ name, outcome: "skipped", detail: why });
  }

  async #add(check: Check): Promise<void> {
    this.checks.push(check);
    await this.#onlooker.ends(check);
  }
}

/** What a check found to be otherwise than it has to be. */
export function wrong(sentence: string): Failure {
  return new Failure(statuses.failed, sentence);
}

/** A failed check never means that all is done, nor that a signal came. */
function failureStatus(error: unknown): Status {
  const status = statusOf(error);
  return Object.values(statuses).find((known) => known === status && known !== statuses.done) ?? statuses.failed;
}
