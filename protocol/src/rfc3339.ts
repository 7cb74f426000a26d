const pattern = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}:\d{2}:\d{2}(?:\.\d+)?)([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Reads a time as RFC 3339 writes it: a day that exists, with its time and zone, as in `2030-01-31T12:00:00Z`.
 *
 * @returns milliseconds since 1970, or `undefined` for any other string.
 */
export function rfc3339Ms(text: string): number | undefined {
  const [, year, month, day = "", clock, zone = ""] = pattern.exec(text) ?? [];
  // Date takes 31 February for 3 March.
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  const ms = Date.parse(`${year}-${month}-${day}T${clock}${zone.toUpperCase()}`);
  return Number.isNaN(ms) || date.getUTCDate() !== Number(day) ? undefined : ms;
}
