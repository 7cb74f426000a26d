const pattern = /^(\d{4})-(\d{2})-(\d{2})[Tt]((?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d+)?)([Zz]|[+-]\d{2}:\d{2})$/;
const firstMs = Date.parse("0000-01-01T00:00:00Z");
const lastMs = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * Reads a time as RFC 3339 writes it: a day that exists, with its time and zone, as in `2030-01-31T12:00:00Z`. A leap second
 * is no such time, since no clock here has one, nor is a time whose year in UTC hasn't four digits.
 *
 * @returns milliseconds since 1970, or `undefined` for any other string.
 */
export function rfc3339Ms(text: string): number | undefined {
  const [, year, month, day = "", clock, zone = ""] = pattern.exec(text) ?? [];
  // Date takes 31 February for 3 March.
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  const ms = Date.parse(`${year}-${month}-${day}T${clock}${zone.toUpperCase()}`);
  // Not true of NaN either.
  const isInRange = ms >= firstMs && ms <= lastMs;
  return isInRange && date.getUTCDate() === Number(day) ? ms : undefined;
}
