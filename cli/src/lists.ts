/** Adds the value of a flag that may be repeated to those before. */
export function oneMore(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
