import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Account } from "../clients/calls.ts";
import { CalledProcess } from "../called-process.ts";
import type { LinkCalls } from "./calls.ts";

/** So many in one call, whose deadline thousands would miss. */
const opensPerCall = 500;

/** Idle links in a process of their own. */
export class Links extends CalledProcess<LinkCalls> {
  readonly #url: URL;
  #count = 0;

  constructor(url: URL) {
    super("process of idle links", [process.execPath, join(import.meta.dirname, "process.ts")]);
    this.#url = url;
  }

  /** Opens more of them. */
  async open(accounts: readonly (Account | null)[]): Promise<void> {
    for (let at = 0; at < accounts.length; at += opensPerCall)
      await this.call("open", { url: this.#url.href, accounts: accounts.slice(at, at + opensPerCall) });
    this.#count += accounts.length;
  }

  /** @throws Error when some are closed. */
  async check(): Promise<void> {
    const open = await this.call("countOpen", null);
    if (open < this.#count) throw new Error(`Of ${this.#count} idle links ${open} are left`);
  }
}

/** So many of `wanted` as open files allow, of which a link takes two in workerd. Where no /proc tells, it's all of them. */
export function linksPossible(wanted: number): number {
  let limits = "";
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    // Not Linux.
  }
  const files = Number(/Max open files\s+(\d+)/.exec(limits)?.[1] ?? Infinity);
  return Math.min(wanted, Math.floor((files - 1_000) / 2));
}
