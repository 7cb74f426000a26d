import { isHeader, reservedHeaders } from "@messagepasser/protocol";
import { Failure, statuses } from "./status.ts";

/** Headers of HTTP requests, by name. */
export type Headers = Readonly<Record<string, string>>;

/**
 * Reads headers as HTTP writes them, one a line. Empty lines and lines with # are skipped.
 *
 * @param source where they stand, for sentences. No sentence has a value, which may be a secret.
 */
export function headersIn(text: string, source: string): Headers {
  const headers: Record<string, string> = {};
  for (const line of text.split("\n").map((raw) => raw.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const [, name = "", value = ""] = /^([^:]*):(.*)$/.exec(line) ?? [];
    if (reservedHeaders.test(name))
      throw new Failure(statuses.usage, `The headers in ${source} must not have "${name}", which mp sets itself`);
    if (!isHeader(name, value.trim()))
      throw new Failure(statuses.usage, `The headers in ${source} must be lines as in "x-gate: open sesame", in ASCII`);
    headers[name] = value.trim();
  }
  return headers;
}
