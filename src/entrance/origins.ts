import type { Env } from "../env.ts";
import type { Problem } from "../problem.ts";

/**
 * Why a page may not connect, or `undefined` if it may. Programs send no origin and pages always send one.
 *
 * @param env `MP_ORIGINS` lists origins, separated by white space or commas. An empty list or `*` allows all pages.
 */
export function problemOfOrigin(env: Env, request: Request): Problem | undefined {
  const origin = request.headers.get("origin");
  const entries = (env.MP_ORIGINS ?? "").split(/[\s,]+/).filter((entry) => entry !== "");
  if (origin === null || entries.length === 0 || entries.includes("*")) return undefined;
  if (entries.some((entry) => originIn(entry) === origin)) return undefined;
  const unreadable = entries.filter((entry) => originIn(entry) === undefined);
  if (unreadable.length > 0)
    console.warn(
      `MP_ORIGINS has entries that are not origins such as "https://app.example.com": ${unreadable.join(" ")}`,
    );
  return {
    code: "origin-not-allowed",
    detail: "Pages of this origin may not connect: MP_ORIGINS lists the origins that may",
  };
}

/**
 * An origin as browsers write it, in lower case and without a default port; `undefined` for a string that no page's origin
 * can equal.
 */
function originIn(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || schemesWithoutPages.has(url.protocol) || !plainHost.test(url.host)) return undefined;
  const { protocol, host, pathname, search, hash, username, password } = url;
  if (!["", "/"].includes(pathname) || [search, hash, username, password].some((part) => part !== "")) return undefined;
  // Browser extensions have schemes of their own, whose origin the URL standard leaves opaque.
  return url.origin === "null" ? `${protocol}//${host}` : url.origin;
}

/** A page of `file:` has the origin "null", and the others have no pages. */
const schemesWithoutPages = new Set(["ws:", "wss:", "ftp:", "file:"]);

/** A name or an address, with or without a port. Other characters stand for themselves in a URL, and in no host. */
const plainHost = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/;
