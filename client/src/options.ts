/** What each kind of option must be, and whether a value is that. */
const kinds = {
  string: ["a string", (value) => typeof value === "string"],
  // A comparison with NaN is false.
  number: ["a number of 0 or more", (value) => typeof value === "number" && value >= 0],
  boolean: ["a boolean", (value) => typeof value === "boolean"],
  function: ["a function", (value) => typeof value === "function"],
  format: ["a format of this package", (value) => typeof Object(value).routerFrames === "function"],
} satisfies Record<string, readonly [wanted: string, isFit: (value: unknown) => boolean]>;

/**
 * Checks options for callers without types, or whose own calculation went wrong: `NaN` as a limit would be no limit.
 *
 * @param call what can't be done with a wrong option, as "connect".
 * @param values the options by name; those that are `undefined` need no check.
 * @throws TypeError that names the option and what it takes.
 */
export function checkOptions(call: string, kind: keyof typeof kinds, values: Readonly<Record<string, unknown>>): void {
  const [wanted, isFit] = kinds[kind];
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || isFit(value)) continue;
    // Not the value of a string: it may be a secret in the wrong place.
    throw new TypeError(`Cannot ${call}: ${name} must be ${wanted}, not ${kindOf(value)}`);
  }
}

function kindOf(value: unknown): string {
  if (typeof value === "number") return String(value);
  return value === null ? "null" : `a value of type ${typeof value}`;
}
