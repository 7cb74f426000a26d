// How a client of a by-name format calls the sessions of its peers. Its frames have a name and no address, so one session
// of each name is called by the name alone, and all others by a label that no other session has.
import { labelOf, splitLabel } from "@messagepasser/protocol";
import { arePaired, type Endpoint, type Link, type Links } from "./link.ts";

/** How a by-name client calls a peer that it is paired with. */
export function callOf(by: Link, peer: Endpoint): string {
  return by.pairs.hasLabel(peer.address) ? uniqueLabel(peer) : peer.name;
}

/** How a by-name client calls a peer, or will call it once the two are paired. */
export function futureCallOf(links: Links, by: Link, peer: Link): string {
  if (arePaired(by, peer)) return callOf(by, peer);
  return isNameTaken(links, by, peer.name) ? uniqueLabel(peer) : peer.name;
}

/** The peer that a by-name client calls so, if the two are paired. */
export function calledBy(links: Links, by: Link, call: string): Link | undefined {
  for (const peer of links.named(splitLabel(call).name))
    if (arePaired(by, peer) && callOf(by, peer) === call) return peer;
  return undefined;
}

/** Whether a by-name client calls some session by this name alone. Its own name stands for itself. */
export function isNameTaken(links: Links, by: Link, name: string): boolean {
  return by.name === name || calledBy(links, by, name) !== undefined;
}

/** No instance begins with "@". */
function uniqueLabel({ name, instance = "", address }: Endpoint & { readonly instance?: string }): string {
  return labelOf(name, instance === "" ? `@${address}` : instance);
}
