import { routerLimits } from "@messagepasser/protocol";
import type { Link } from "./link.ts";
import type { Account } from "./principals.ts";
import type { Watch } from "./watcher.ts";

/** A link that watches. */
export interface Watcher {
  readonly link: Link;
  readonly watches: Watch[];
  /** When it was last told something, in milliseconds since 1970. */
  toldAtMs: number;
  /** Bytes of what it was told since it last answered a mark. */
  unansweredBytes: number;
  /** Whether nothing is told until it answers a mark. */
  isBlocked: boolean;
}

export function newWatcher(link: Link, watches: Watch[]): Watcher {
  return { link, watches, toldAtMs: -Infinity, unansweredBytes: 0, isBlocked: false };
}

/** The first watch of which something is not told. */
export function unfinished({ watches }: Watcher): Watch | undefined {
  return watches.find((watch) => !watch.isDone);
}

export function isDone(watcher: Watcher): boolean {
  return unfinished(watcher) === undefined;
}

/** Whether a link watches a name. */
export function isWatched(name: string, watchers: Iterable<Watcher>): boolean {
  return Array.from(watchers).some(({ watches }) => watches.some(({ pattern }) => pattern.fits(name)));
}

/** Notes in the link what has to outlive a hibernation. */
export function keep({ link, watches, isBlocked }: Watcher): void {
  const before = link.watches;
  // Where it isn't blocked, a timer keeps the object awake until everything is told. No timer waits for other shards.
  const isBehind = isBlocked || watches.some(({ waitsForShards }) => waitsForShards);
  const isSame =
    before?.isBehind === isBehind &&
    before.watches.length === watches.length &&
    watches.every(({ request, pattern: { source } }, at) => {
      const kept = before.watches[at];
      return kept?.request === request && kept.pattern === source;
    });
  if (isSame) return;
  const kept = watches.map(({ request, pattern: { source: pattern } }) => ({ request, pattern }));
  link.watches = kept.length === 0 ? undefined : { isBehind, watches: kept };
}

/** How many changes each watch of a client may have to tell: those of all its watches together take only so much memory. */
export function mostChangesOf({ watches }: Account): number {
  return Math.min(routerLimits.maxPendingChanges, routerLimits.maxPendingChangesOfClient / watches);
}
