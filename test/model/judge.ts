import {
  anySession,
  errorCodes,
  limits,
  routerAddress,
  type RouterFrameOf,
  RouterFrameReader,
  routerLimits,
  SegmentReader,
  splitLabel,
} from "@messagepasser/protocol";
import type { Call } from "../../src/shards/call.ts";

/** A link as the judge sees it. */
export interface Judged {
  readonly name: string;
  readonly session: string;
  readonly instance: string;
  readonly sinceMs: number;
  readonly address: number;
  /** When its client was last heard of. */
  readonly heardMs: number;
  /** By protocol, whether its client shares it; `undefined` until the client has said something. */
  told: Map<string, boolean> | undefined;
}

/** The answers of the router that are right for an open. */
interface Verdict {
  readonly sessions: readonly string[];
  readonly codes: readonly number[];
}

/** The links of a shard, as the judge sees them. */
export interface Scene {
  readonly links: readonly Judged[];
  readonly nowMs: number;
  /** Whether the shard is the home of a name. */
  isHomeOf(name: string): boolean;
}

/** Notes what the frames of a client say, and which sessions may get each of its opens to names of its own shard, by the Connection's id. */
export function verdictsOn(
  batch: Uint8Array,
  from: Judged,
  { links, nowMs, isHomeOf }: Scene,
): ReadonlyMap<number, Verdict> {
  const verdicts = new Map<number, Verdict>();
  // The sender is heard of now, and may open to its own name.
  const heard = links.map((link): Judged => (link === from ? heardNow(from, nowMs) : link));
  for (const frame of routerFramesIn(batch)) {
    if (frame.kind === "serve") {
      from.told ??= new Map();
      for (const protocol of frame.add) from.told.set(protocol, frame.share === 1);
      for (const protocol of frame.remove) from.told.delete(protocol);
    } else if (frame.kind === "open" && isHomeOf(splitLabel(frame.peer).name))
      verdicts.set(frame.connection, verdictOn(frame, heard, nowMs));
  }
  return verdicts;
}

/** An answer of the router to an open. */
type Answer = RouterFrameOf<"routed" | "refused">;

/** The router's answers to opens in a batch. */
export function answersIn(batch: Uint8Array): Answer[] {
  return Array.from(routerFramesIn(batch)).filter((frame) => frame.kind === "routed" || frame.kind === "refused");
}

/** What is wrong with the router's answer to an open, if anything is. */
export function faultIn(answer: Answer, verdict: Verdict | undefined): string | undefined {
  if (verdict === undefined || isRight(answer, verdict)) return undefined;
  return `The router answered an open with ${JSON.stringify(answer)} instead of ${JSON.stringify(verdict)}`;
}

function isRight(answer: Answer, { sessions, codes }: Verdict): boolean {
  return answer.kind === "routed" ? sessions.includes(answer.session) : codes.includes(answer.code);
}

/** Judges opens between shards: by the sessions that are there when the call comes that has the open. */
export class CallJudge {
  /** By the opener's address and Connection. A call may come more than once, and only one of those counts. */
  readonly #verdicts = new Map<string, Verdict[]>();

  /** A call comes to the shard that has these links. */
  hear({ items }: Call, { links, nowMs }: Scene): void {
    for (const item of items) {
      if (item.kind !== "open") continue;
      const key = `${item.who.address} ${item.frame.connection}`;
      const verdicts = this.#verdicts.get(key) ?? [];
      verdicts.push(verdictOn(item.frame, links, nowMs));
      this.#verdicts.set(key, verdicts);
    }
  }

  /** A shard calls. @returns what is wrong with its answers to opens */
  answer({ items }: Call): string | undefined {
    for (const item of items) {
      if (item.kind !== "say" || (item.frame.kind !== "routed" && item.frame.kind !== "refused")) continue;
      const answer = item.frame;
      const verdicts = this.#verdicts.get(`${item.to} ${answer.connection}`) ?? [];
      if (!verdicts.some((verdict) => isRight(answer, verdict)))
        return `The router answered an open with ${JSON.stringify(answer)} instead of ${JSON.stringify(verdicts)}`;
    }
    return undefined;
  }
}

function* routerFramesIn(batch: Uint8Array) {
  const segments = new SegmentReader(batch);
  while (segments.next()) {
    if (segments.address !== routerAddress) continue;
    const frames = new RouterFrameReader(batch, segments.start, segments.end);
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) yield frame;
  }
}

function verdictOn(open: RouterFrameOf<"open">, links: readonly Judged[], nowMs: number): Verdict {
  const { name, instance } = splitLabel(open.peer);
  const there = links.filter((link) => link.name === name && (instance === "" || link.instance === instance));
  const isHeard = ({ heardMs }: Judged): boolean => nowMs - heardMs <= limits.ghostAfterMs;
  const { peerAbsent, peerReplaced, unknownProtocol } = errorCodes;
  if (open.address === routerAddress && open.session !== anySession) {
    const only = there.find((link) => link.session === open.session);
    if (only !== undefined) return isHeard(only) ? toOnly(only) : { sessions: [], codes: [peerAbsent] };
    return { sessions: [], codes: [instance !== "" && there.length > 0 ? peerReplaced : peerAbsent] };
  }
  const heard = there.filter((link) => link.session !== open.session && isHeard(link));
  if (heard.length === 0) return { sessions: [], codes: [peerAbsent] };
  const awake = heard.filter(({ heardMs }) => nowMs - heardMs <= routerLimits.quietAfterMs);
  for (const links of [awake, heard]) {
    const serving = links.filter(({ told }) => told?.has(open.protocol) === true);
    const newest = newestOf(serving);
    if (newest !== undefined) {
      const isShared = (link: Judged): boolean => link.told?.get(open.protocol) === true;
      if (!isShared(newest)) return toOnly(newest);
      return { sessions: serving.filter(isShared).map(({ session }) => session), codes: [] };
    }
    const silent = newestOf(links.filter(({ told }) => told === undefined));
    if (silent !== undefined) return toOnly(silent);
  }
  return { sessions: [], codes: [unknownProtocol] };
}

function heardNow(link: Judged, nowMs: number): Judged {
  return Object.create(link, { heardMs: { value: nowMs } }) as Judged;
}

function toOnly({ session }: Judged): Verdict {
  return { sessions: [session], codes: [] };
}

function newestOf(links: readonly Judged[]): Judged | undefined {
  return links.toSorted((one, other) => one.sinceMs - other.sinceMs || one.address - other.address).at(-1);
}
