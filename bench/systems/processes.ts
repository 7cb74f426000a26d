// What a process costs, as Linux tells it in /proc.
import { readdirSync, readFileSync } from "node:fs";

/** Of the kernel's clock in /proc, on every Linux that Node runs on (`getconf CLK_TCK`). */
const ticksPerSecond = 100;

/** The processes of this name that this one started. */
export function childrenNamed(name: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((id) => {
      const status = statusOf(id);
      return status.startsWith(`Name:\t${name}\n`) && status.includes(`PPid:\t${process.pid}\n`);
    });
}

/** Starts something that starts a process of this name, and says which that is. */
export async function startedProcess<T>(name: string, start: () => Promise<T>): Promise<[started: T, id: number]> {
  const before = childrenNamed(name);
  const started = await start();
  const id = childrenNamed(name).find((child) => !before.includes(child));
  if (id === undefined) throw new Error(`No process "${name}" was started: this needs Linux, whose /proc lists them`);
  return [started, id];
}

/** Processor time that processes have used so far, in milliseconds, to 10 ms. */
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

/** Memory that a process has in RAM, in bytes. */
export function residentBytes(id: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(statusOf(id))?.[1] ?? 0) * 1_024;
}

function statusOf(id: number): string {
  try {
    return readFileSync(`/proc/${id}/status`, "utf8");
  } catch {
    // It ended meanwhile.
    return "";
  }
}
