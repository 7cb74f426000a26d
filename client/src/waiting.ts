/** A promise that somebody waits for, with its ends. */
export interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A promise that an AbortSignal can end.
 *
 * @param signal must not have fired yet: that is for the caller to look at, before it begins anything.
 * @param onAbort is called before the promise rejects with the signal's reason, unless it was settled earlier.
 */
export function waiting<T>(
  signal: AbortSignal | undefined,
  onAbort: () => void,
): Waiting<T> & { readonly promise: Promise<T> } {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  if (signal === undefined) return { promise, resolve, reject };
  const abort = (): void => {
    onAbort();
    reject(signal.reason as Error);
  };
  signal.addEventListener("abort", abort, { once: true });
  const settle =
    <A>(end: (argument: A) => void) =>
    (argument: A): void => {
      signal.removeEventListener("abort", abort);
      end(argument);
    };
  return { promise, resolve: settle(resolve), reject: settle(reject) };
}

/** How long timers can run; what is longer, they take for 1 ms. */
const longestTimerMs = 2_147_483_647;

/** Runs a callback after a delay, or never if that is Infinity; the returned function calls it off. */
export function after(delayMs: number, callback: () => void): () => void {
  if (delayMs > longestTimerMs) return () => undefined;
  const timer = setTimeout(callback, delayMs);
  return () => {
    clearTimeout(timer);
  };
}

/**
 * Waits for a promise, but no longer than a time and a signal allow.
 *
 * @param giveUp is called when either is over, with what to say; it must make the promise reject.
 * @throws the signal's reason, if that was it; otherwise what the promise rejects with.
 */
export async function within(
  promise: Promise<unknown>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
  giveUp: (what: "timed-out" | "aborted") => void,
): Promise<void> {
  const cancelTimer = after(timeoutMs, () => {
    giveUp("timed-out");
  });
  const onAbort = (): void => {
    giveUp("aborted");
  };
  signal?.addEventListener("abort", onAbort);
  try {
    await promise;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", onAbort);
  }
}
