import { describe, expect, test } from "vitest";
import { fittedExponent, pairedRatios, quantile, spreadOf } from "../../bench/report/statistics.ts";

describe("quantile", () => {
  test("the median is the value in the middle, whatever the order", () => {
    expect(quantile([9, 1, 5], 0.5)).toBe(5);
  });

  test("a quantile sorts by size, not by spelling, and leaves the list as it was", () => {
    const values = [10, 9, 100];
    expect(quantile(values, 0.5)).toBe(10);
    expect(values).toEqual([10, 9, 100]);
  });

  test("a quantile interpolates between the two nearest values", () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([0, 10], 0.99)).toBeCloseTo(9.9);
  });

  test("a quantile is an end of the list for shares of 0 and 1, and the only value for any share", () => {
    expect(quantile([3, 1, 2], 0)).toBe(1);
    expect(quantile([3, 1, 2], 1)).toBe(3);
    for (const share of [0, 0.3, 1]) expect(quantile([7], share)).toBe(7);
  });

  test("a quantile is infinite only where values are infinite", () => {
    expect(quantile([1, 2, Infinity], 0.5)).toBe(2);
    expect(quantile([1, Infinity, Infinity], 1)).toBe(Infinity);
    expect(quantile([Infinity, Infinity], 0.5)).toBe(Infinity);
    expect(quantile([1, Infinity], 0.5)).toBe(Infinity);
  });

  test("a quantile of an empty list or for a share outside 0 to 1 is refused", () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
    for (const share of [-0.1, 1.1, Number.NaN]) expect(() => quantile([1], share)).toThrow(RangeError);
  });
});

describe("spreadOf", () => {
  test("one slow round changes the least figure, but not the median", () => {
    expect(spreadOf([100, 101, 99, 102, 10])).toEqual({ median: 100, min: 10, max: 102 });
  });
});

describe("pairedRatios", () => {
  test("the ratio stays when both contenders slow down in the same round", () => {
    expect(pairedRatios([100, 50, 20], [200, 100, 40])).toEqual([0.5, 0.5, 0.5]);
  });

  test("ratios to more figures than there are of ours are refused", () => {
    expect(() => pairedRatios([1], [1, 2])).toThrow(RangeError);
  });

  test("ratios leave out rounds that the other contender did not have", () => {
    expect(pairedRatios([100, 50, 20], [200, 100])).toEqual([0.5, 0.5]);
  });
});

describe("fittedExponent", () => {
  test("the fitted exponent is the power that the points follow", () => {
    for (const power of [-1, 0, 0.5, 2])
      expect(fittedExponent([1, 10, 100].map((x) => ({ x, y: 7 * x ** power })))).toBeCloseTo(power);
  });

  test("the fitted exponent of points that rise and fall alike is zero", () => {
    const points = [
      { x: 1, y: 1 },
      { x: 10, y: 10 },
      { x: 100, y: 1 },
    ];
    expect(fittedExponent(points)).toBeCloseTo(0);
  });

  test("a single point has no exponent", () => {
    expect(() => fittedExponent([{ x: 1, y: 1 }])).toThrow(RangeError);
  });
});
