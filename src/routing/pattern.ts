/** A text in which `*` stands for anything. */
export interface Pattern {
  readonly source: string;
  fits(text: string): boolean;
}

/** Compiles a pattern. It takes time in proportion to the text, whatever the pattern: no regular expression does. */
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
