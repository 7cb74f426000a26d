/** A string in which `*` stands for any characters. */
export interface Pattern {
  readonly source: string;
  fits(text: string): boolean;
}

/** Whether a string fits a pattern that is asked only once. Most patterns are names as they are, which need no compiling. */
export function isFit(source: string, text: string): boolean {
  return source === text || (source.includes("*") && patternOf(source).fits(text));
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
