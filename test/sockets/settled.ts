import { vi } from "vitest";

/** Resolves once a value has stopped changing. */
export async function settled(valueOf: () => number): Promise<void> {
  let last: number | undefined;
  await vi.waitUntil(() => last === (last = valueOf()), { interval: 300, timeout: 15_000 });
}
