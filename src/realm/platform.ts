import { routerLimits } from "@messagepasser/protocol";

// What the runtime gives, in the shapes that the router needs.

/** A random number that no client can guess. */
export function randomU32(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** Calls back once, later. Until then the object is awake. */
export function after(delayMs: number, callback: () => void): void {
  setTimeout(callback, delayMs);
}

/** What another object answers. Rejects if it doesn't answer in time. */
export async function inTime<Answer>(answer: Answer | Promise<Answer>): Promise<Answer> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`No answer within ${routerLimits.maxCallMs} ms`));
  }, routerLimits.maxCallMs);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
