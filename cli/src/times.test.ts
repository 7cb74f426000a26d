import { InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import { durationOf, durationText, positiveDurationOf, timeOf } from "./times.ts";

test.each([
  ["30s", 30_000],
  ["5m", 300_000],
  ["12h", 43_200_000],
  ["7d", 604_800_000],
  ["1h30m", 5_400_000],
  ["1d2h3m4s5ms", 93_784_005],
  ["250ms", 250],
  ["1.5h", 5_400_000],
  ["0.2", 200],
  ["3600", 3_600_000],
  ["0", 0],
])("the duration %s has %d ms", (text, ms) => {
  expect(durationOf(text)).toBe(ms);
});

test.each(["", " ", "h", "-1s", "1 h", "1h 30m", "1x", "1e3", "Infinity", "NaN", "1h30", "1..5s", "soon", "0x10"])(
  "%j is no duration",
  (text) => {
    expect(() => durationOf(text)).toThrow(InvalidArgumentError);
    expect(() => durationOf(text)).toThrow("as in 30s, 5m, 12h, 7d or 1h30m");
  },
);

test("a duration has an upper bound, and some have to be positive", () => {
  expect(() => durationOf("99999999d")).toThrow("at most 100 years");
  expect(() => positiveDurationOf("0s")).toThrow("above 0");
  expect(positiveDurationOf("1ms")).toBe(1);
});

test.each([
  [86_400_000, "1d"],
  [5_400_000, "1h30m"],
  [61_000, "1m1s"],
  [250, "250ms"],
])("%d ms are written as %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
  expect(durationOf(text)).toBe(ms);
});

test.each([
  ["2030-01-31T12:00:00Z", "2030-01-31T12:00:00.000Z"],
  ["2030-01-31t12:00:00.25z", "2030-01-31T12:00:00.250Z"],
  ["2030-01-31 12:00:00+02:00", "2030-01-31T10:00:00.000Z"],
  ["2028-02-29", "2028-02-29T00:00:00.000Z"],
])("the time %s is %s", (text, time) => {
  expect(timeOf(text)).toBe(time);
});

test.each([
  "2030-02-31",
  "2030-02-31T00:00:00Z",
  "2029-02-29",
  "01/02/2030",
  "2030-13-01",
  "2030-01-31T12:00:00",
  "2030-01-31T24:00:00Z",
  "2030-01-31T23:59:60Z",
  "9999-12-31T23:59:59-01:00",
  "2030-01-31T25:00:00Z",
  "2030-01-31T12:00Z",
  "2030",
  "1767225600",
  "tomorrow",
  "Jan 31 2030",
  "+012030-01-01",
  "",
])("%j is no time", (text) => {
  expect(() => timeOf(text)).toThrow(InvalidArgumentError);
});
