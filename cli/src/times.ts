// Durations and times as flags take them: one form of each, in every command.
import { rfc3339Ms } from "@messagepasser/protocol";
import { InvalidArgumentError } from "commander";

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A century: nothing here lasts longer, and dates that far away still work. */
const mostMs = 36_525 * 86_400_000;

/** What help texts say about durations. */
export const durationForm = "as in 30s, 5m, 12h, 7d or 1h30m";

/**
 * Reads a duration: numbers with units, or seconds as a number alone.
 *
 * @returns milliseconds.
 */
export function durationOf(text: string): number {
  const isSeconds = /^\d+(?:\.\d+)?$/.test(text);
  const parts = Array.from((isSeconds ? `${text}s` : text).matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/gy));
  const ms = parts.reduce((sum, [, number, unit = ""]) => sum + Number(number) * (unitsMs[unit] ?? NaN), 0);
  const isWhole = parts.map(([part]) => part).join("") === (isSeconds ? `${text}s` : text);
  if (parts.length === 0 || !isWhole) throw new InvalidArgumentError(`Give a duration, ${durationForm}.`);
  if (ms > mostMs) throw new InvalidArgumentError("Give at most 100 years.");
  return ms;
}

/** The same, for what must last longer than nothing. */
export function positiveDurationOf(text: string): number {
  const ms = durationOf(text);
  if (ms === 0) throw new InvalidArgumentError(`Give a duration above 0, ${durationForm}.`);
  return ms;
}

/** Writes a duration in the form that `durationOf` reads. @param ms rounded to seconds if it is a second or more. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  let rest = Math.round(ms / 1_000);
  let text = "";
  for (const [unit, seconds] of [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
    ["s", 1],
  ] as const) {
    if (rest >= seconds) text += `${Math.floor(rest / seconds)}${unit}`;
    rest %= seconds;
  }
  return text;
}

/**
 * Reads a time as RFC 3339 writes it, with its zone. A date alone is its beginning in UTC.
 *
 * @returns the time in UTC, as in "2030-01-31T12:00:00.000Z".
 */
export function timeOf(text: string): string {
  const ms = rfc3339Ms(/^[\d-]+$/.test(text) ? `${text}T00:00:00Z` : text.replace(" ", "T"));
  if (ms === undefined)
    throw new InvalidArgumentError("Give a time that exists, with its zone, as in 2030-01-31T12:00:00Z.");
  return new Date(ms).toISOString();
}
