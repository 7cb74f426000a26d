type Kind = "string" | "number" | "boolean" | "function";

/**
 * Checks options for callers without types, or whose own calculation went wrong: `NaN` as a limit would be no limit.
 *
 * @param call what can't be done with a wrong option, as "connect".
 * @param values the options by name; those that are `undefined` need no check.
 * @throws TypeError that names the option and what it takes.
 */
export function checkOptions(call: string, kind: Kind, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    // A comparison with NaN is false.
    const isFit = typeof value === kind && (kind !== "number" || (value as number) >= 0);
    if (isFit || value === undefined) continue;
    const wanted = kind === "number" ? "a number of 0 or more" : `a ${kind}`;
    // Not the value of a string: it may be a secret in the wrong place.
    throw new TypeError(`Cannot ${call}: ${name} must be ${wanted}, not ${kindOf(value)}`);
  }
}

function kindOf(value: unknown): string {
  if (typeof value === "number") return String(value);
  return value === null ? "null" : `a value of type ${typeof value}`;
}
