// What Linux tells about processes in /proc.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Of the kernel's clock in /proc, on every Linux that Node runs on (`getconf CLK_TCK`). */
const ticksPerSecond = 100;

/** Runs `start`, which starts a workerd, and finds the id of that workerd. */
export async function withWorkerdId<T>(start: () => Promise<T>): Promise<[started: T, id: number]> {
  const before = workerdIds();
  const started = await start();
  const id = workerdIds().find((child) => !before.includes(child));
  if (id === undefined) throw new Error("No workerd was started: this needs Linux, whose /proc lists processes");
  return [started, id];
}

function workerdIds(): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((id) => {
      const status = textOf(`${id}/status`);
      return status.startsWith("Name:\tworkerd\n") && status.includes(`PPid:\t${process.pid}\n`);
    });
}

/** Processor time that processes have used so far, in milliseconds. The kernel counts it in steps of 10 ms. */
export function cpuMs(ids: readonly number[]): number {
  let ticks = 0;
  for (const id of ids) {
    // The name, in parentheses, may hold spaces. After it the 12th and 13th field are user and system time.
    const fields = readFileSync(`/proc/${id}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks * 1_000) / ticksPerSecond;
}

/** Bytes of a process that are in RAM. */
export function residentBytes(id: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(textOf(`${id}/status`))?.[1] ?? 0) * 1_024;
}

/** How many files a process may have open. */
export function openFilesLimit(): number {
  return Number(/Max open files\s+(\d+)/.exec(textOf("self/limits"))?.[1] ?? Infinity);
}

/** Empty when the process has ended, and where there is no /proc. */
function textOf(file: string): string {
  try {
    return readFileSync(join("/proc", file), "utf8");
  } catch {
    return "";
  }
}
