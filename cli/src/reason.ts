/** The reason of an error. A connection to a name with several addresses tells it only in the errors of its attempts. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError) return Array.from(new Set(error.errors.map(reasonOf))).join("; ");
  if (error.cause !== undefined && error.message === "") return reasonOf(error.cause);
  // OpenSSL puts a line feed behind its messages.
  return error.message.trim();
}
