/** A string in which `*` stands for any characters. */
export interface Pattern {
  readonly source: string;
  fits(text: string): boolean;
}

/** Whether a string fits a pattern that is asked only once. Most patterns are names as they are, which need no compiling. */
export function isFit(source: string, text: string): boolean {
  return source === text || (source.includes("*") && patternOf(source).fits(text));
}

/** Those with a `*` among the patterns of a list. */
const compiled = new WeakMap<readonly string[], readonly Pattern[]>();

/**
 * Whether a string fits one of a list's patterns, which are compiled once: an open to a name asks what each of its sessions
 * serves, and those are a hundred with dozens of patterns each.
 */
export function fitsAny(sources: readonly string[], text: string): boolean {
  if (sources.includes(text)) return true;
  let patterns = compiled.get(sources);
  if (patterns === undefined) {
    patterns = sources.filter((source) => source.includes("*")).map(patternOf);
    compiled.set(sources, patterns);
  }
  return patterns.some(({ fits }) => fits(text));
}

/** Compiles a pattern. Matching takes linear time for every pattern, unlike with a regular expression. */
export function patternOf(source: string): Pattern {
  const [first = "", ...rest] = source.split("*");
  const last = rest.pop();
  if (last === undefined) return { source, fits: (text) => text === source };
  return {
    source,
    fits(text) {
      if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
      const end = text.length - last.length;
      let at = first.length;
      for (const part of rest) {
        const found = text.indexOf(part, at);
        if (found === -1 || found + part.length > end) return false;
        at = found + part.length;
      }
      return true;
    },
  };
}
