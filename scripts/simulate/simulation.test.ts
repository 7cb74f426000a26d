import { expect, test } from "vitest";
import { billOf } from "../cost/model.ts";
import { recordedFor } from "../cost/recorded.ts";
import { SimulatedClock } from "./clock.ts";
import { comeback } from "./comeback.ts";
import { Population } from "./population.ts";
import { type Report, reportOf, textOf } from "./report.ts";
import { million, type Scenario, workloadOf } from "./scenario.ts";
import { simulate } from "./simulation.ts";

const small: Scenario = { ...million, clients: 2_000, shards: 4, chatty: 0.05, connects: 3_000, seconds: 20 };

function reportFor(scenario: Scenario): Report {
  return reportOf(simulate(scenario, () => 0));
}

test("a simulated realm has the traffic that its scenario says", () => {
  const { shards, answersPerSecond, closed, itemsPerCall } = reportFor(small);
  // A hundred clients ask once a second, and all are answered but those whose peers are away.
  expect(answersPerSecond).toBeGreaterThan(80);
  expect(answersPerSecond).toBeLessThan(120);
  expect(closed).toBe(0);
  expect(shards.sockets.sum).toBeGreaterThan(1_980);
  expect(shards.connectsPerSecond.sum).toBeGreaterThan(1);
  // A question and an answer, and what acknowledges them: several at once, where a client has several within a second.
  expect(shards.messagesInPerSecond.sum).toBeGreaterThan(250);
  expect(shards.messagesInPerSecond.sum).toBeLessThan(450);
  // Half of the clients ask anybody, and three of four peers are on another shard.
  expect(shards.callsTakenPerSecond.sum / shards.messagesInPerSecond.sum).toBeCloseTo(0.375, 0.1);
  expect(shards.callsMadePerSecond.sum).toBeCloseTo(shards.callsTakenPerSecond.sum, 0);
  expect(itemsPerCall).toBeGreaterThanOrEqual(1);
  expect(shards.awake.min).toBeCloseTo(1);
});

test("a simulated month costs no more than the cost model says, and not much less", () => {
  const { shards, bySocket } = reportFor(small);
  // Most shards make more than twenty calls a second.
  expect(bySocket).toBeGreaterThan(0.8);
  const workload = { ...workloadOf(small), hoursConnected: 720, lineMbit: 10 };
  for (const [figure, trunk] of [
    ["usdByRpc", "calls"],
    ["usd", "sockets"],
  ] as const) {
    const { usd } = billOf({ ...workload, trunk }, recordedFor(workload.sizeBytes));
    // The model has an acknowledgement for each message.
    expect(shards[figure].sum / usd).toBeGreaterThan(0.6);
    expect(shards[figure].sum / usd).toBeLessThan(1);
  }
});

test("a simulated realm in which nobody talks or comes has no object in memory", () => {
  const { shards } = reportFor({ ...small, chatty: 0, connects: 0 });
  expect(shards.sockets.sum).toBe(2_000);
  expect(shards.linksInMemory.sum).toBe(0);
  expect(shards.awake.max).toBe(0);
  expect(shards.callsTakenPerSecond.max).toBe(0);
});

test("a simulated realm of one object makes no calls", () => {
  const { shards, answersPerSecond } = reportFor({ ...small, shards: 1 });
  expect(answersPerSecond).toBeGreaterThan(80);
  expect(shards.callsMadePerSecond.max).toBe(0);
});

test("a simulation's report tells what the limits leave", () => {
  const report = reportFor({ ...small, seconds: 1 });
  expect(report.shards.sockets.left).toBeCloseTo(1 - report.shards.sockets.max / 32_768);
  expect(report.shards.eventsPerSecond.left).toBeCloseTo(1 - report.shards.eventsPerSecond.max / 1_000);
  expect(Object.keys(report.shards).sort()).toEqual(
    Object.keys(simulate({ ...small, seconds: 1, clients: 100 }, () => 0).shards[0] ?? {}).sort(),
  );
  const text = textOf(report);
  expect(text).toMatch(/^2,000 clients over 4 shards\. 100 of them ask 1 times a second/m);
  expect(text).toMatch(/^sockets +\d+ +\d+ +\d+ +32,768 +9\d %$/m);
});

test("simulated events happen in the order of their times, and of one time in the order in which they were set", () => {
  const clock = new SimulatedClock();
  const happened: number[] = [];
  const times = Array.from({ length: 200 }, (_, at) => (at * 7_919) % 53);
  for (const [at, time] of times.entries()) clock.after(time, () => happened.push(1_000 * time + at));
  clock.runUntil(20);
  expect(happened.every((each) => each < 21_000)).toBe(true);
  clock.after(0, () => happened.push(20_500));
  clock.runUntil(100);
  expect(happened).toHaveLength(201);
  expect(happened).toEqual([...happened].sort((one, other) => one - other));
});

test("devices of a site have names that begin alike, and neighbours are of one site", () => {
  const population = new Population(20_000);
  const siteOf = (client: number): string | undefined => population.nameOf(client).split("/")[0];
  const sizes = new Map<string | undefined, number>();
  for (let device = 0; device < 10_000; device++) sizes.set(siteOf(device), (sizes.get(siteOf(device)) ?? 0) + 1);
  expect(sizes.size).toBe(100);
  expect(sizes.get("site-0")).toBe(1_000);
  for (const device of [0, 999, 1_000, 5_000, 9_999])
    for (const fraction of [0, 0.5, 0.999]) expect(siteOf(population.neighbour(device, fraction))).toBe(siteOf(device));
  expect(population.nameOf(10_000)).toBe("phone-10000");
});

test("all clients of a full object come back after a reset, a few attempts each", () => {
  const few = comeback(100);
  expect(few).toMatchObject({ attemptsPerClient: 1, mostPerSecond: 100 });
  expect(few.lastMs).toBeLessThan(1_000);
  // An object admits a thousand in a second, and a client waits ten seconds for it.
  const full = comeback(32_768);
  expect(full.lastMs).toBeGreaterThan(32_000);
  expect(full.lastMs).toBeLessThan(60_000);
  expect(full.attemptsPerClient).toBeLessThan(4);
});
