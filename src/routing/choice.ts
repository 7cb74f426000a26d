import type { Link } from "./link.ts";
import { type Service, serviceOf } from "./services.ts";

/** The most that two sessions differ in unread bytes and still count as equally busy. */
const equalBytes = 16_384;

/** What the choice of a session needs to know besides the sessions. */
interface Circumstances {
  /** A number from 0 up to, but not including, 1. */
  random(): number;
  /** Bytes that the router holds for a link because its client has not read them. */
  unreadBytes(link: Link): number;
}

/**
 * The session that gets an open of a protocol: the newest of those that serve it. Where that one shares the protocol, the
 * less busy of two of those that share it. Where nobody is known to serve it, the newest that has not said what it serves.
 *
 * @returns `undefined` if each has said that it doesn't serve the protocol
 */
export function chosenOf(links: readonly Link[], protocol: string, circumstances: Circumstances): Link | undefined {
  const [only] = links;
  if (links.length < 2) return only && serviceOf(only.services, protocol) !== "none" ? only : undefined;
  // Once for each session, since its patterns may be many.
  const offers = links.map((link) => ({ link, service: serviceOf(link.services, protocol) }));
  const by = (...wanted: readonly Service[]): readonly Link[] =>
    offers.flatMap(({ link, service }) => (wanted.includes(service) ? [link] : []));
  const newest = newestOf(by("alone", "shared"));
  if (newest === undefined) return newestOf(by("maybe"));
  const sharing = by("shared");
  return sharing.includes(newest) ? spread(sharing, circumstances) : newest;
}

function newestOf(links: readonly Link[]): Link | undefined {
  return links.reduce<Link | undefined>(
    (newest, link) => (newest && !isNewer(link, newest) ? newest : link),
    undefined,
  );
}

/** Whether one session began after the other one, or at the same time and got its address later. */
function isNewer(one: Link, other: Link): boolean {
  return one.sinceMs === other.sinceMs ? one.address > other.address : one.sinceMs > other.sinceMs;
}

/** The less busy of two random ones. To take the least busy of all would send every open to one until it shows. */
function spread(links: readonly Link[], { random, unreadBytes }: Circumstances): Link | undefined {
  const first = Math.floor(random() * links.length);
  const [one, other] = [links[first], links[(first + 1 + Math.floor(random() * (links.length - 1))) % links.length]];
  if (one === undefined || other === undefined || one === other) return one;
  const moreBytes = unreadBytes(one) - unreadBytes(other);
  if (Math.abs(moreBytes) > equalBytes) return moreBytes > 0 ? other : one;
  return one.memory.chosenAt <= other.memory.chosenAt ? one : other;
}
