// The tags of a link's socket. They find the link after a wake without reading all other sockets.
import type { Link } from "../routing/link.ts";

export const guestTag = "guest";

const namePrefix = "name:";

export function nameTag(name: string): string {
  return namePrefix + name;
}

/** The name of a link's client among tags, or an empty string. */
export function nameIn(tags: readonly string[]): string {
  return valueIn(tags, namePrefix);
}

export function addressTag(address: number): string {
  return `address:${address}`;
}

/** The tag of all guests that a client has invited. */
export function hostTag(host: string): string {
  return `host:${host}`;
}

/** The tag of all links that were opened with a token. */
export const holderTag = "holder";

const formatPrefix = "format:";

/** All tags of a link. A socket may have 10. */
export function tagsOf({ name, address, format, grant, token }: Link): string[] {
  const tags = [nameTag(name), addressTag(address), formatPrefix + format.subprotocol];
  if (token !== undefined) return [...tags, holderTag];
  return grant === undefined ? tags : [...tags, guestTag, hostTag(grant.host)];
}

/** The subprotocol among tags, or an empty string. */
export function subprotocolIn(tags: readonly string[]): string {
  return valueIn(tags, formatPrefix);
}

function valueIn(tags: readonly string[], prefix: string): string {
  return tags.find((tag) => tag.startsWith(prefix))?.slice(prefix.length) ?? "";
}
