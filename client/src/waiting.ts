/** A promise that somebody waits for, with its ends. */
export interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A promise that an AbortSignal can end.
 *
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
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  const settle =
    <A>(end: (argument: A) => void) =>
    (argument: A): void => {
      signal.removeEventListener("abort", abort);
      end(argument);
    };
  return { promise, resolve: settle(resolve), reject: settle(reject) };
}
