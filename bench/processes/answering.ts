// The other side of child.ts, in the process that it starts.
import type { AnswerMessage, CallMessage, Calls } from "./child.ts";

/** Answers the benchmark's calls. */
export function answerCalls(handlers: Calls): void {
  const answer = async ({ id, name, argument }: CallMessage): Promise<void> => {
    let message: AnswerMessage;
    try {
      // Child.call has checked the argument's type.
      message = { id, answer: await handlers[name]?.(argument as never) };
    } catch (error) {
      message = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    process.send?.(message);
  };
  // Only child.ts writes to this channel.
  process.on("message", (message) => void answer(message as CallMessage));
  endWithBenchmark();
}

/** Tells the benchmark where a server listens. */
export function announce(address: string): void {
  console.log(address);
  endWithBenchmark();
}

/** An orderly exit also writes the CPU profile that Node may have been asked for. */
function endWithBenchmark(): void {
  for (const end of ["disconnect", "SIGTERM"] as const) process.on(end, () => process.exit(0));
}
