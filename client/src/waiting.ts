/** The functions that settle a promise. */
export interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A promise that an AbortSignal can end.
 *
 * @param signal must not have fired yet: the caller checks that before it starts anything.
 * @param onAbort called before the promise rejects with the signal's reason, unless it was settled before.
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

/** The longest delay that timers support; they treat a longer one as 1 ms. */
const longestTimerMs = 2_147_483_647;

/** Runs a callback after a delay, or never if the delay is Infinity. Returns a function that cancels it. */
export function after(delayMs: number, callback: () => void): () => void {
  if (delayMs > longestTimerMs) return () => undefined;
  const timer = setTimeout(callback, delayMs);
  return () => {
    clearTimeout(timer);
  };
}

/**
 * Waits for a promise until a timeout or a signal ends the wait.
 *
 * @param giveUp called when the timeout has passed or the signal has fired; it must make the promise reject.
 * @throws the signal's reason if the signal fired; otherwise the promise's own rejection.
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
