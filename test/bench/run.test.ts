import { expect, test } from "vitest";
import { measured, type Plan } from "../../bench/run.ts";
import type { Contender, Scenario } from "../../bench/scenarios/scenario.ts";
import { Stage } from "../../bench/stage.ts";
import { AbsentError } from "../../bench/systems/system.ts";

const plan: Plan = { name: "test", scenarios: [], settleMs: 10, rounds: 2, times: { warmUpMs: 1, durationMs: 3 } };

/** A scenario that only notes what is done to its contenders, as in "start a", "10 ms of a" and "end a". */
function noting(names: readonly string[], options: Partial<Scenario> = {}): { scenario: Scenario; notes: string[] } {
  const notes: string[] = [];
  const contender = (name: string): Contender => ({
    name,
    title: name.toUpperCase(),
    start: (_stage, own) => {
      if (name === "absent") return Promise.reject(new AbsentError("install it"));
      notes.push(`start ${name}`);
      own.defer(() => void notes.push(`end ${name}`));
      return Promise.resolve(({ durationMs }) => {
        notes.push(`${durationMs} ms of ${name}`);
        return Promise.resolve({ speed: notes.length });
      });
    },
  });
  const metrics = [{ figure: "speed", title: "speed", unit: "/s" }];
  const scenario = { name: "noting", title: "Noting", metrics, targets: [], contenders: names.map(contender) };
  return { scenario: { ...scenario, ...options }, notes };
}

async function run(scenario: Scenario, said: string[] = []) {
  await using stage = new Stage();
  const { rounds } = await measured(scenario, plan, stage, (text, isLasting) => {
    if (isLasting === true) said.push(text);
  });
  return [...rounds].map(([{ name }, figures]) => [name, figures.length]);
}

test("contenders are all up together and take turns, after a round of each that does not count", async () => {
  const { scenario, notes } = noting(["a", "b"]);
  expect(await run(scenario)).toEqual([
    ["a", 2],
    ["b", 2],
  ]);
  const turns = ["10 ms of a", "10 ms of b", "3 ms of a", "3 ms of b", "3 ms of a", "3 ms of b"];
  expect(notes).toEqual(["start a", "start b", ...turns, "end b", "end a"]);
});

test("a scenario's additional rounds are only for ours and for contenders that a target is about", async () => {
  const targets = [{ figure: "speed", against: "b", atLeast: 1 }];
  const { scenario } = noting(["a", "b", "c"], { rounds: 5, targets });
  expect(await run(scenario)).toEqual([
    ["a", 5],
    ["b", 5],
    ["c", 2],
  ]);
});

test("a contender of a curve has ended before the next one starts", async () => {
  const { scenario, notes } = noting(["1", "10"], { axis: "clients", settleMs: 0 });
  await run(scenario);
  const all = (name: string) => [`start ${name}`, `3 ms of ${name}`, `3 ms of ${name}`, `end ${name}`];
  expect(notes).toEqual([...all("1"), ...all("10")]);
});

test("a contender that is not on this machine is left out, and the run says what installs it", async () => {
  const said: string[] = [];
  expect(await run(noting(["a", "absent"]).scenario, said)).toEqual([["a", 2]]);
  expect(said).toEqual(["ABSENT is left out: install it"]);
});
