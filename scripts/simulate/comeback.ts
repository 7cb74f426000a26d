import { clientLimits } from "@messagepasser/protocol";
import { LinkError } from "../../client/src/errors.ts";
import type { Clock } from "../../client/src/link/platform.ts";
import { Redial } from "../../client/src/link/redial.ts";
import { Random } from "../../test/soak/random.ts";
import { SimulatedClock } from "./clock.ts";
import { maxEventsPerSecond } from "./limits.ts";

/** How the clients of one object come back. */
export interface Comeback {
  readonly halfMs: number;
  readonly lastMs: number;
  readonly attemptsPerClient: number;
  /** Attempts that came in one second. */
  readonly mostPerSecond: number;
}

/** How long the links were open: for as long as all good ones. */
const startMs = 60_000;

/**
 * The clients of an object that was reset, by the client's own rules for its attempts. The object admits as many in a second
 * as it takes events, one after the other. An attempt that its client has given up is cancelled, and costs it nothing.
 */
export function comeback(clients: number): Comeback {
  const time = new SimulatedClock();
  const random = new Random("comeback");
  const clock: Clock = { now: () => time.nowMs, random: () => random.fraction(), after: () => () => undefined };
  const lost = new LinkError("link-lost", "The object was reset", true);
  const backMs: number[] = [];
  const inSecond = new Map<number, number>();
  /** Attempts, as what admits them: false for one that was given up. Those before `next` are over. */
  const waiting: (() => boolean)[] = [];
  let next = 0;
  let isBusy = false;
  let attempts = 0;

  const admitNext = (): void => {
    isBusy = false;
    while (!isBusy && next < waiting.length) isBusy = waiting[next++]?.() === true;
    if (isBusy) time.after(1_000 / maxEventsPerSecond, admitNext);
  };
  const dial = (redial: Redial): void => {
    attempts++;
    const second = Math.floor(time.nowMs / 1_000);
    inSecond.set(second, (inSecond.get(second) ?? 0) + 1);
    let isOver = false;
    time.after(clientLimits.answerWithinMs, () => {
      if (isOver) return;
      isOver = true;
      dialLater(redial);
    });
    waiting.push(() => {
      if (isOver) return false;
      isOver = true;
      backMs.push(time.nowMs - startMs);
      return true;
    });
    if (!isBusy) admitNext();
  };
  const dialLater = (redial: Redial): void => {
    // A client that has lost its link always tries again.
    time.after(redial.pauseMs(lost) ?? Infinity, () => {
      dial(redial);
    });
  };

  const redials = Array.from(
    { length: clients },
    () => new Redial(clock, { retriesFirst: true, hasFreshSecrets: false }),
  );
  for (const redial of redials) redial.online();
  time.runUntil(startMs);
  for (const redial of redials) dialLater(redial);
  time.runUntil(Number.MAX_SAFE_INTEGER);
  if (backMs.length < clients) throw new Error(`Of ${clients} clients only ${backMs.length} came back`);
  return {
    halfMs: backMs[Math.floor(clients / 2)] ?? 0,
    lastMs: backMs.at(-1) ?? 0,
    attemptsPerClient: attempts / Math.max(1, clients),
    mostPerSecond: Math.max(0, ...inSecond.values()),
  };
}
