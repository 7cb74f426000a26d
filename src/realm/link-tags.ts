// What a link's socket is tagged with, so that it is found after a wake without a look at all the others.
import type { Link } from "../routing/link.ts";

export const guestTag = "guest";

export function nameTag(name: string): string {
  return `name:${name}`;
}

export function addressTag(address: number): string {
  return `address:${address}`;
}

/** Of the guests whom a client has invited. */
export function hostTag(host: string): string {
  return `host:${host}`;
}

const formatPrefix = "format:";

/** All tags of a link; a socket may have ten. */
export function tagsOf({ name, address, format, grant }: Link): string[] {
  const tags = [nameTag(name), addressTag(address), formatPrefix + format.subprotocol];
  return grant === undefined ? tags : [...tags, guestTag, hostTag(grant.host)];
}

/** The subprotocol that tags name, or an empty text. */
export function subprotocolIn(tags: readonly string[]): string {
  return tags.find((tag) => tag.startsWith(formatPrefix))?.slice(formatPrefix.length) ?? "";
}
