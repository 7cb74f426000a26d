type Check = readonly [wanted: string, isFit: (value: unknown) => boolean];
type Kind = "string" | "boolean" | "function" | keyof typeof checks;

/** What the kinds of options must be that `typeof` doesn't tell. */
const checks = {
  // A comparison with NaN is false.
  number: ["a number of 0 or more", (value) => typeof value === "number" && value >= 0],
  // Arrays, Maps and others whose entries are no options have a tag of their own.
  object: ["an object", (value) => Object.prototype.toString.call(value) === "[object Object]"],
  signal: ["an AbortSignal", isSignal],
  format: ["a format of this package", (value) => typeof Object(value).routerFrames === "function"],
} satisfies Record<string, Check>;

/**
 * Checks options for callers without types, or whose own calculation went wrong: `NaN` as a limit would be no limit.
 *
 * @param call what can't be done with a wrong option, as "connect".
 * @param values the options by name; those that are `undefined` need no check.
 * @throws TypeError that names the option and what it takes.
 */
export function checkOptions(call: string, kind: Kind, values: Readonly<Record<string, unknown>>): void {
  const problem = optionProblem(call, kind, values);
  if (problem !== undefined) throw problem;
}

/** Why the options of a call that waits are wrong. */
export function waitProblem(options: unknown): TypeError | undefined {
  // Without anything made: `send` and `receive` may be called for each small message.
  if (options === undefined || isSignal(Object(options).signal)) return undefined;
  return (
    optionProblem("wait", "object", { options }) ?? optionProblem("wait", "signal", { signal: Object(options).signal })
  );
}

function isSignal(value: unknown): boolean {
  return typeof Object(value).throwIfAborted === "function";
}

/** As `checkOptions`, but returns the error. */
function optionProblem(call: string, kind: Kind, values: Readonly<Record<string, unknown>>): TypeError | undefined {
  const byKind: Readonly<Partial<Record<Kind, Check>>> = checks;
  const [wanted, isFit]: Check = byKind[kind] ?? [`a ${kind}`, (value) => typeof value === kind];
  // Without entries made: each open comes by here more than once.
  for (const name of Object.keys(values)) {
    const value = values[name];
    if (value === undefined || isFit(value)) continue;
    // Not the value of a string: it may be a secret in the wrong place.
    return new TypeError(`Cannot ${call}: ${name} must be ${wanted}, not ${kindOf(value)}`);
  }
  return undefined;
}

function kindOf(value: unknown): string {
  return typeof value === "number" || value === null ? String(value) : `a value of type ${typeof value}`;
}
