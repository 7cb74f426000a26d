import { limits, utf8Length } from "@messagepasser/protocol";
import type { Link } from "./link.ts";
import { fitsAny, isFit } from "./pattern.ts";

// What an invitation and a token narrow. A client with a secret of its own is narrowed by rules only.

/** A client with what it may do by its invitation or its token, if it has one of the two. */
export type Entitled = Partial<Pick<Link, "grant" | "token">>;

/** Whether what a client may do was narrowed. */
export function isNarrowed({ grant, token }: Entitled): boolean {
  return grant !== undefined || token !== undefined;
}

/** Why its invitation or its token doesn't let a client open a protocol to a peer; `undefined` if it does. */
export function openingProblem({ grant, token }: Entitled, peer: string, protocol: string): string | undefined {
  if (grant !== undefined && !(isFit(grant.peer, peer) && isFit(grant.protocol, protocol)))
    return grant.peer === ""
      ? "The invitation is for no opens"
      : `The invitation is for "${grant.protocol}" to "${grant.peer}"`;
  const { open } = token?.rights ?? {};
  const isOpenable = open?.some((each) => isFit(each.peer, peer) && isFit(each.protocol, protocol)) ?? true;
  return isOpenable ? undefined : `The token isn't for "${protocol}" to "${peer}"`;
}

/** Whether a client may open anything to a peer, by its invitation or its token. */
export function mayReach({ grant, token }: Entitled, peer: string): boolean {
  if (grant !== undefined) return isFit(grant.peer, peer);
  return token?.rights.open?.some((each) => isFit(each.peer, peer)) ?? true;
}

/** Why its invitation or its token doesn't let a client serve a protocol; `undefined` if it does. */
export function servingProblem(client: Entitled, protocol: string): string | undefined {
  const allowed = servable(client);
  return allowed === undefined || fitsAny(allowed, protocol)
    ? undefined
    : `The peer's ${client.grant === undefined ? "token" : "invitation"} doesn't let it serve this protocol`;
}

/** Whether nobody may open anything to a client, by its invitation or its token. */
export function servesNothing(client: Entitled): boolean {
  return servable(client)?.length === 0;
}

/** A session, with what it serves. */
export interface Serving extends Entitled, Pick<Link, "services"> {
  readonly memory: Pick<Link["memory"], "served">;
}

/** The protocols that a session serves, as far as its invitation or its token lets it. One that has not said so may serve all of them. */
export function servedBy(link: Serving): readonly string[] {
  const { services, memory } = link;
  const allowed = servable(link);
  const said = services === undefined ? ["*"] : [...services.alone, ...services.shared];
  if (allowed === undefined) return said;
  // Each watcher asks, and to compare many patterns with many takes long.
  if (memory.served === undefined || memory.served.services !== services) {
    const patterns = new Set(said.flatMap((pattern) => narrowed(pattern, allowed)));
    memory.served = { services, patterns: Array.from(patterns).filter(fitsFrame) };
  }
  return memory.served.patterns;
}

const nothing: readonly string[] = [];

/** Patterns of what an invitation or a token lets a client serve; `undefined` for everything. */
function servable({ grant, token }: Entitled): readonly string[] | undefined {
  return grant?.serves ?? (token && (token.rights.serve ?? nothing));
}

/** Whether a pattern, which may be of a token, is short enough to be told. */
function fitsFrame(pattern: string): boolean {
  return utf8Length(pattern) <= limits.maxProtocolBytes;
}

/** What of a pattern is allowed. */
function narrowed(pattern: string, allowed: readonly string[]): readonly string[] {
  // A pattern that fits another one's text, "*" included, fits all that the other one fits.
  if (allowed.some((each) => isFit(each, pattern))) return [pattern];
  return allowed.filter((each) => isFit(pattern, each));
}
