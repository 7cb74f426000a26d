/** How two samples compare by the ranks of their values, so that a few slow answers of a busy machine weigh nothing. */
export interface Comparison {
  /** How likely a value of the first is above one of the second: a half where the two are alike. */
  readonly likelihood: number;
  /** The same, in standard deviations of what chance alone does to samples of this size. */
  readonly deviations: number;
}

/** So far do two samples go apart by chance once in millions of comparisons, while what a thief could use shows at once. */
export const tellingDeviations = 5;

/** The rank test of Mann and Whitney. */
export function compare(first: readonly number[], second: readonly number[]): Comparison {
  const all = [
    ...first.map((value) => ({ value, isFirst: true })),
    ...second.map((value) => ({ value, isFirst: false })),
  ];
  all.sort((one, other) => one.value - other.value);
  let sum = 0;
  for (let start = 0; start < all.length;) {
    let end = start;
    while (end < all.length && all[end]?.value === all[start]?.value) end++;
    // Equal values share the middle of their ranks, which begin at 1.
    for (let at = start; at < end; at++) if (all[at]?.isFirst) sum += (start + 1 + end) / 2;
    start = end;
  }
  const pairs = first.length * second.length;
  const above = sum - (first.length * (first.length + 1)) / 2;
  const deviation = Math.sqrt((pairs * (first.length + second.length + 1)) / 12);
  return { likelihood: above / pairs, deviations: Math.abs(above - pairs / 2) / deviation };
}

/**
 * Times each kind of thing some hundreds of times, in rounds of all kinds in an order of their own: so whatever else the
 * machine does meanwhile falls on all of them alike.
 */
export async function timesOf<Kind extends string>(
  kinds: Readonly<Record<Kind, () => Promise<void>>>,
  rounds: number,
  now: () => number = () => performance.now(),
): Promise<Record<Kind, number[]>> {
  // The keys of an object are what its type says.
  const names = Object.keys(kinds) as Kind[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Kind, number[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of shuffled(names)) {
      const start = now();
      await kinds[name]();
      times[name].push(now() - start);
    }
  }
  return times;
}

export function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item);
}
