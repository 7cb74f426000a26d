import { Failure, reasonOf, type Status, statuses, statusOf } from "../status.ts";
import { aborted } from "../signals.ts";

/** The result of a check that passed. */
export interface Finding {
  readonly detail: string;
  readonly value?: number;
  readonly unit?: "ms" | "MB/s";
}

/** A check with its outcome. */
export interface Check extends Finding {
  readonly name: string;
  readonly outcome: "ok" | "failed" | "skipped";
}

/** Shows the progress of an examination. */
export interface Onlooker {
  begins(name: string): void;
  ends(check: Check): Promise<void>;
}

/** How long a check may take by default. */
const defaultTimeoutMs = 10_000;

/** Runs checks one after the other, each with a time limit. A failed check doesn't end the examination. */
export class Examination {
  readonly checks: Check[] = [];
  /** The exit status for the first failure. */
  status: Status = statuses.done;
  readonly #onlooker: Onlooker;

  constructor(onlooker: Onlooker) {
    this.#onlooker = onlooker;
  }

  /** The first check that failed. */
  get firstFailure(): Check | undefined {
    return this.checks.find(({ outcome }) => outcome === "failed");
  }

  /** The number of checks with an outcome. */
  count(outcome: Check["outcome"]): number {
    return this.checks.filter((check) => check.outcome === outcome).length;
  }

  /** Runs a check. Returns whether it passed. @param work has to end when the signal fires. */
  async run(
    name: string,
    work: (signal: AbortSignal) => Promise<Finding>,
    timeoutMs = defaultTimeoutMs,
  ): Promise<boolean> {
    this.#onlooker.begins(name);
    const controller = new AbortController();
    const timer = setTimeout(() => {
      controller.abort(new Failure(statuses.unreachable, `The check took longer than ${timeoutMs / 1_000} s`));
    }, timeoutMs);
    try {
      const finding = await Promise.race([work(controller.signal), aborted(controller.signal)]);
      await this.#add({ name, outcome: "ok", ...finding });
      return true;
    } catch (error) {
      if (this.status === statuses.done) this.status = failureStatus(error);
      await this.#add({ name, outcome: "failed", detail: reasonOf(error) });
      return false;
    } finally {
      clearTimeout(timer);
      // Ends whatever the check has left running.
      controller.abort(new Failure(statuses.failed, "The check has ended"));
    }
  }

  /** Records a check that isn't run. */
  async skip(name: string, why: string): Promise<void> {
    await this.#add({ name, outcome: "skipped", detail: why });
  }

  async #add(check: Check): Promise<void> {
    this.checks.push(check);
    await this.#onlooker.ends(check);
  }
}

/** The error for a check that found something wrong. */
export function wrong(sentence: string): Failure {
  return new Failure(statuses.failed, sentence);
}

/** The exit status for a failed check: never 0, nor that of a signal. */
function failureStatus(error: unknown): Status {
  const status = statusOf(error);
  return Object.values(statuses).find((known) => known === status && known !== statuses.done) ?? statuses.failed;
}
