import { finish } from "./check.ts";
import { forgetShared } from "./life.ts";
import type { Schedule } from "./steps.ts";
import { take, World } from "./world.ts";

/** Runs a schedule to its end. @throws Error for what mustn't happen, with the notes of all that did if it is traced. */
export async function run(schedule: Schedule, isTraced = false): Promise<void> {
  forgetShared();
  const { stackTraceLimit } = Error;
  // Errors are made by the million here, and hardly any is looked at.
  if (!isTraced) Error.stackTraceLimit = 0;
  const world = new World(schedule, isTraced);
  try {
    for (const name of world.names) world.begin(name);
    await world.flow();
    for (const step of schedule.steps) await take(world, step);
    world.note("All faults are over");
    await finish(world);
  } catch (error) {
    if (world.notes !== undefined) throw new Error(`${String(error)}\n${world.notes.join("\n")}`, { cause: error });
    throw error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
