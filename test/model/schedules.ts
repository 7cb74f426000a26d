import fc from "fast-check";
import { longGraceMs, type Schedule, type Step } from "./steps.ts";

const any = fc.nat(1_000);
/** Mostly small, now and then more than a frame holds, rarely more than a window. */
const size = fc.oneof(
  { weight: 20, arbitrary: fc.nat(60) },
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.nat(5_000) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 70_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 250_000, max: 300_000 }) },
);
const protocol = fc.constantFrom("take", "take", "answer", "answer", "wait", "refuse");
const says = fc.constantFrom("all", "shared", "shared", "none", "nothing");
const survivors = fc.constantFrom(0, 0, 1, 2, 100);
const count = fc.constantFrom(1, 1, 1, 2, 5);

function weighted<T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.WeightedArbitrary<T> {
  return { weight, arbitrary };
}

const stepsOfOne: fc.WeightedArbitrary<Step>[] = [
  weighted(20, fc.record({ do: fc.constantFrom("up", "down"), wire: any, count })),
  weighted(6, fc.record({ do: fc.constant("flow") })),
  weighted(
    5,
    fc.record({
      do: fc.constant("pass"),
      ms: fc.constantFrom(1, 100, 600, 1_100, 3_000, 5_000, 11_000, 40_000),
      flows: fc.boolean(),
    }),
  ),
  weighted(
    6,
    fc.record({
      do: fc.constant("open"),
      from: any,
      to: any,
      protocol,
      first: fc.option(size, { nil: undefined }),
      aim: fc.constantFrom("any", "any", "any", "any", "any", "instance", "session"),
      at: any,
    }),
  ),
  weighted(14, fc.record({ do: fc.constant("send"), end: any, size, isText: fc.boolean() })),
  weighted(7, fc.record({ do: fc.constant("receive"), end: any, forAll: fc.boolean() })),
  weighted(4, fc.record({ do: fc.constantFrom("end", "end", "close", "abort"), end: any })),
  weighted(2, fc.record({ do: fc.constant("decide"), end: any, accepts: fc.boolean() })),
  weighted(1, fc.record({ do: fc.constant("giveUp"), open: any })),
  weighted(
    8,
    fc.record({ do: fc.constant("break"), wire: any, noticed: fc.constantFrom("client", "router", "both"), survivors }),
  ),
  weighted(3, fc.record({ do: fc.constant("stall"), wire: any })),
  weighted(1, fc.record({ do: fc.constant("unstall"), wire: any })),
  weighted(1, fc.record({ do: fc.constant("kill"), survivors })),
  weighted(1, fc.record({ do: fc.constant("sleep") })),
  weighted(1, fc.record({ do: fc.constant("restart"), who: any, saysBye: fc.boolean() })),
  weighted(2, fc.record({ do: fc.constant("join"), who: any, instance: fc.constantFrom("", "", "two"), says })),
  weighted(1, fc.record({ do: fc.constant("vanish"), who: any })),
  weighted(2, fc.record({ do: fc.constant("handle"), who: any, protocol, isShared: fc.boolean() })),
  weighted(1, fc.record({ do: fc.constant("unhandle"), who: any, protocol })),
];

const stepsOfMany: fc.WeightedArbitrary<Step>[] = [
  weighted(
    20,
    fc.record({
      do: fc.constant("call"),
      call: any,
      fate: fc.constantFrom("done", "done", "done", "done", "twice", "lost", "unheard", "late"),
    }),
  ),
  weighted(2, fc.record({ do: fc.constant("late"), call: any })),
  weighted(2, fc.record({ do: fc.constant("kill"), survivors, shard: any })),
  weighted(4, fc.record({ do: fc.constant("sleep"), shard: any })),
  weighted(1, fc.record({ do: fc.constant("deploy"), survivors, shard: any })),
  weighted(1, fc.record({ do: fc.constant("alarm"), shard: any })),
];

const start = {
  names: fc.constantFrom(2, 2, 3),
  says: fc.constantFrom("all", "shared", "nothing", "nothing"),
  graceMs: fc.constantFrom(longGraceMs, longGraceMs, longGraceMs, longGraceMs, 3_000),
  seed: fc.nat(),
};

/** Schedules of all kinds. Most have a grace that never ends, since then nothing at all may be lost. */
export const schedules: fc.Arbitrary<Schedule> = fc.record({
  ...start,
  steps: fc.array(fc.oneof(...stepsOfOne), { maxLength: 80, size: "max" }),
});

/** The same for a realm of several shards. */
export const shardSchedules: fc.Arbitrary<Schedule> = fc.record({
  ...start,
  shards: fc.constantFrom(2, 2, 3),
  steps: fc.array(fc.oneof(...stepsOfOne, ...stepsOfMany), { maxLength: 80, size: "max" }),
});
