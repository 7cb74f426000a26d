import { routerLimits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import type { CrossingItem } from "../routing/crossing-item.ts";
import { Trunk } from "./trunk.ts";

const item: CrossingItem = { kind: "gone", address: 1, reason: 0, to: [2] };

/** One end of a trunk, which the other shard calls. */
class CalledTrunk {
  taken = 0;
  breaks = 0;
  number = 0;
  readonly trunk = new Trunk(0, undefined, {
    randomU32: () => 7,
    shardCount: () => 2,
    after: () => undefined,
    call: () => undefined,
    keep: (number) => {
      this.number = number;
    },
    take: () => void this.taken++,
    broken: () => void this.breaks++,
    hasRoom: () => true,
  });

  /** The other shard calls, in its wake of that number. */
  receive(life: number, seq = 1, number = this.number): number {
    return this.trunk.receive({ from: 1, shards: 2, number, life, seq, isAgain: false, items: [item] });
  }
}

test("a shard remembers the wakes of another one up to a limit, and then no late call of any of them is carried out", () => {
  const called = new CalledTrunk();
  const { number } = called;
  for (let life = 0; life <= routerLimits.maxFormerLives; life++) expect(called.receive(life)).toBe(number);
  expect([called.taken, called.breaks]).toEqual([routerLimits.maxFormerLives + 1, 0]);
  // Late ones of former wakes change nothing.
  expect(called.receive(0)).toBe(number);
  expect(called.taken).toBe(routerLimits.maxFormerLives + 1);
  expect(called.receive(-1)).toBe(number + 1);
  expect(called.breaks).toBe(1);
  for (const life of [-1, 0, 1, routerLimits.maxFormerLives]) expect(called.receive(life, 1, number)).toBe(number + 1);
  expect(called.taken).toBe(routerLimits.maxFormerLives + 1);
  // The other shard begins again with the new number.
  expect(called.receive(-1, 2)).toBe(number + 1);
  expect(called.taken).toBe(routerLimits.maxFormerLives + 2);
});
