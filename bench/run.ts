import type { Contender, Figures, RoundTimes, Scenario } from "./scenarios/scenario.ts";
import type { Stage } from "./stage.ts";
import { AbsentError } from "./systems/system.ts";

/** What a run measures, how often and for how long. */
export interface Plan {
  /** Of the file with its results, too. */
  readonly name: string;
  readonly scenarios: readonly Scenario[];
  /** How long the round takes that comes first and doesn't count. Until its machine code is made, all that runs is slow. */
  readonly settleMs: number;
  readonly rounds: number;
  readonly times: RoundTimes;
}

/** All figures of one scenario, round by round, by contender. */
export interface Measured {
  readonly scenario: Scenario;
  readonly rounds: ReadonlyMap<Contender, readonly Figures[]>;
}

/** Tells people what goes on: a line that is gone with the next one, or one that stays. */
export interface Progress {
  now(text: string): void;
  said(text: string): void;
}

/**
 * Measures a scenario. Rounds of the contenders alternate, so that a machine that slows down or is busy for a while does
 * it to all of them. Who isn't on this machine is left out, and said once a run.
 */
export async function measured(scenario: Scenario, plan: Plan, stage: Stage, progress: Progress): Promise<Measured> {
  await using own = new AsyncDisposableStack();
  const ready: { contender: Contender; measure: (times: RoundTimes) => Promise<Figures>; figures: Figures[] }[] = [];
  for (const contender of scenario.contenders) {
    progress.now(`${scenario.title}: starting ${contender.title}`);
    try {
      ready.push({ contender, measure: await contender.start(stage, own), figures: [] });
    } catch (error) {
      if (!(error instanceof AbsentError)) throw error;
      if (stage.isFirstAbsence(contender.name)) progress.said(`${contender.title} is left out: ${error.message}`);
    }
  }
  const { rounds = plan.rounds, settleMs = plan.settleMs } = scenario;
  for (let round = 0; round <= rounds; round++) {
    for (const { contender, measure, figures } of ready) {
      progress.now(`${scenario.title}: ${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}, ${contender.title}`);
      const ofRound = await measure(round === 0 ? { warmUpMs: 0, durationMs: settleMs } : plan.times);
      if (round > 0) figures.push(ofRound);
    }
  }
  return { scenario, rounds: new Map(ready.map(({ contender, figures }) => [contender, figures])) };
}
