import type { AnswerMessage, CallMessage, CallTable, Handlers } from "./called-process.ts";

/** The other side of called-process.ts: answers calls until whoever started this process is gone, and ends with it. */
export function answerCalls<Calls extends CallTable<Calls>>(handlers: Handlers<Calls>): void {
  const answer = async ({ id, name, argument }: CallMessage<Calls>): Promise<void> => {
    let message: AnswerMessage;
    try {
      message = { id, answer: await handlers[name](argument) };
    } catch (error) {
      message = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    process.send?.(message);
  };
  // Only called-process.ts writes to this channel.
  process.on("message", (message) => void answer(message as CallMessage<Calls>));
  // An exit in good order also writes the profile that --profile asks for.
  process.on("disconnect", () => process.exit(0));
}
