/** The figures of several rounds in three numbers. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError without values. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), min: quantile(values, 0), max: quantile(values, 1) };
}

/**
 * The value below which a share of all values lies, interpolated between the two nearest.
 *
 * @param share from 0 to 1: 0.5 for the median, 0.99 for p99.
 * @throws RangeError without values, or for a share outside its range.
 */
export function quantile(values: readonly number[], share: number): number {
  if (!(share >= 0 && share <= 1)) throw new RangeError(`Share ${share} is not between 0 and 1`);
  const sorted = Float64Array.from(values).sort();
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError("No values");
  // Equal ones may be infinite, as a ratio to a round in which nothing arrived.
  return below === above ? below : below + (above - below) * (position - Math.floor(position));
}

/**
 * Each value divided by the other contender's in the same round. Both have met the same machine in that round, so these
 * ratios vary less than the figures.
 *
 * @param others of the same rounds, or of the first of them.
 * @throws RangeError for more others than values.
 */
export function pairedRatios(values: readonly number[], others: readonly number[]): number[] {
  if (values.length < others.length) throw new RangeError(`${values.length} values, but ${others.length} others`);
  return others.map((other, at) => (values[at] ?? Number.NaN) / other);
}

/**
 * The power of x that y follows best, by least squares of the logarithms: 1 is in proportion, 0 is not at all.
 *
 * @throws RangeError for fewer than two points.
 */
export function fittedExponent(points: readonly { readonly x: number; readonly y: number }[]): number {
  if (points.length < 2) throw new RangeError(`${points.length} points have no slope`);
  const logs = points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }));
  const mean = (axis: "x" | "y"): number => logs.reduce((sum, { [axis]: value }) => sum + value, 0) / logs.length;
  const [meanX, meanY] = [mean("x"), mean("y")];
  const covariance = logs.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / logs.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}
