import type { Contender, Figures, Measure, Scenario } from "./scenarios/scenario.ts";
import type { Stage } from "./stage.ts";
import type { RoundTimes } from "./systems/end.ts";
import { AbsentError } from "./systems/system.ts";

/** What a run measures, how often and for how long. */
export interface Plan {
  /** Also of the file with the results. */
  readonly name: string;
  readonly scenarios: readonly Scenario[];
  /** How long the first round of a contender takes, which doesn't count. All code is slow until V8 has compiled it. */
  readonly settleMs: number;
  readonly rounds: number;
  readonly times: RoundTimes;
}

/** The figures of one scenario, round by round. */
export interface Measured {
  readonly scenario: Scenario;
  readonly rounds: ReadonlyMap<Contender, readonly Figures[]>;
}

/** Tells people what goes on. @param isLasting false if the next text may take its place. */
export type Progress = (text: string, isLasting?: boolean) => void;

/** Measures a scenario. Contenders that aren't on this machine are left out, and the run says so. */
export async function measured(scenario: Scenario, plan: Plan, stage: Stage, progress: Progress): Promise<Measured> {
  const { contenders, axis, targets, title, rounds = plan.rounds, settleMs = plan.settleMs } = scenario;
  const all = new Map<Contender, Figures[]>();
  // The contenders of a curve are measured apart.
  for (const group of axis === undefined ? [contenders] : contenders.map((contender) => [contender])) {
    await using own = new AsyncDisposableStack();
    const ready = new Map<Contender, Measure>();
    for (const contender of group) {
      progress(`${title}: starting ${contender.title}`);
      try {
        ready.set(contender, await contender.start(stage, own));
        all.set(contender, []);
      } catch (error) {
        if (!(error instanceof AbsentError)) throw error;
        if (!stage.absent.has(contender.name)) progress(`${contender.title} is left out: ${error.message}`, true);
        stage.absent.add(contender.name);
      }
    }
    // Contenders take turns, so that a machine that is busy for a while is busy for all of them.
    for (let round = settleMs > 0 ? 0 : 1; round <= rounds; round++) {
      for (const [contender, measure] of ready) {
        // More rounds than the plan's are there for the targets' sake.
        const hasTarget = contender === contenders[0] || targets.some(({ against }) => against === contender.name);
        if (round > plan.rounds && !hasTarget) continue;
        progress(`${title}: ${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}, ${contender.title}`);
        const figures = await measure(round === 0 ? { warmUpMs: 0, durationMs: settleMs } : plan.times);
        if (round > 0) all.get(contender)?.push(figures);
      }
    }
  }
  return { scenario, rounds: all };
}
