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

/** Notes what the frames of a client say, and which sessions may get each of its opens, by the Connection's id. */
export function verdictsOn(
  batch: Uint8Array,
  from: Judged,
  links: readonly Judged[],
  nowMs: number,
): ReadonlyMap<number, Verdict> {
  const verdicts = new Map<number, Verdict>();
  // The sender is heard of now, and may open to its own name.
  const heard = links.map((link): Judged => (link === from ? heardNow(from, nowMs) : link));
  for (const frame of routerFramesIn(batch)) {
    if (frame.kind === "serve") {
      from.told ??= new Map();
      for (const protocol of frame.add) from.told.set(protocol, frame.share === 1);
      for (const protocol of frame.remove) from.told.delete(protocol);
    } else if (frame.kind === "open") verdicts.set(frame.connection, verdictOn(frame, heard, nowMs));
  }
  return verdicts;
}

/** What is wrong with the router's answers to opens, if anything is. */
export function faultIn(batch: Uint8Array, verdicts: ReadonlyMap<number, Verdict>): string | undefined {
  for (const frame of routerFramesIn(batch)) {
    if (frame.kind !== "routed" && frame.kind !== "refused") continue;
    const verdict = verdicts.get(frame.connection);
    if (verdict === undefined) continue;
    const { sessions, codes } = verdict;
    const isRight = frame.kind === "routed" ? sessions.includes(frame.session) : codes.includes(frame.code);
    if (!isRight)
      return `The router answered an open with ${JSON.stringify(frame)} instead of ${JSON.stringify(verdict)}`;
  }
  return undefined;
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
