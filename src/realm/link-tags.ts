// The tags of a link's socket. They find the link after a wake without reading all other sockets.
import type { Link } from "../routing/link.ts";

export const guestTag = "guest";

export function nameTag(name: string): string {
  return `name:${name}`;
}

export function addressTag(address: number): string {
  return `address:${address}`;
}

/** The tag of all guests that a client has invited. */
export function hostTag(host: string): string {
  return `host:${host}`;
}

const formatPrefix = "format:";

/** All tags of a link. A socket may have 10. */
export function tagsOf({ name, address, format, grant }: Link): string[] {
  const tags = [nameTag(name), addressTag(address), formatPrefix + format.subprotocol];
  return grant === undefined ? tags : [...tags, guestTag, hostTag(grant.host)];
}

/** The subprotocol among tags, or an empty string. */
export function subprotocolIn(tags: readonly string[]): string {
  return tags.find((tag) => tag.startsWith(formatPrefix))?.slice(formatPrefix.length) ?? "";
}
