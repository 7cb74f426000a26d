// What a simulated line did, as the tests of how much a client sends and grants look at it.

/** A millisecond of a simulated line. */
export interface LineMoment {
  readonly nowMs: number;
  /** How long what arrives then has waited. */
  readonly queueMs: number;
}

/** Bytes per ms. */
export const megabit = 125;

/** How long what arrived waited at most, for a part of the moments. */
export function quantile(moments: readonly LineMoment[], part: number): number {
  const sorted = moments.map(({ queueMs }) => queueMs).sort((one, other) => one - other);
  return sorted[Math.floor(part * (sorted.length - 1))] ?? Infinity;
}

/** By how much a count grew per ms, from the first to the last of these moments. */
export function rateOf<Figure extends string>(
  moments: readonly (LineMoment & Readonly<Record<Figure, number>>)[],
  figure: Figure,
): number {
  const [first, last] = [moments[0], moments.at(-1)];
  if (first === undefined || last === undefined) throw new TypeError("No moments");
  return (last[figure] - first[figure]) / (last.nowMs - first.nowMs);
}

export function after<Moment extends LineMoment>(moments: readonly Moment[], fromMs: number): Moment[] {
  return moments.filter(({ nowMs }) => nowMs >= fromMs);
}
