// How a client of a by-name format calls the sessions of its peers. Its frames have a name and no address, so one session
// of each name is called by the name alone, and all others by a label that no other session has.
import { labelOf, splitLabel } from "@messagepasser/protocol";
import { arePaired, type Endpoint, type Link, type Links, type Sender } from "./link.ts";

/** How a by-name client calls a peer that it is paired with. */
export function callOf(by: Sender, peer: Endpoint): string {
  return by.pairs.hasLabel(peer.address) ? uniqueLabel(peer) : peer.name;
}

/** How a by-name client calls a peer, or will call it once the two are paired. */
export function futureCallOf(links: Links, by: Sender, peer: Sender): string {
  if (arePaired(by, peer)) return callOf(by, peer);
  return isNameTaken(links, by, peer.name) ? uniqueLabel(peer) : peer.name;
}

/** The peer that a by-name client calls so, if the two are paired. */
export function calledBy(links: Links, by: Sender, call: string): Link | undefined {
  for (const peer of links.named(splitLabel(call).name))
    if (arePaired(by, peer) && callOf(by, peer) === call) return peer;
  return undefined;
}

/** Whether a by-name client calls some session by this name alone. Its own name stands for itself. */
export function isNameTaken(links: Links, by: Sender, name: string): boolean {
  return by.name === name || calledBy(links, by, name) !== undefined;
}

/** Whether a by-name client calls a link so. */
export function isCalled(by: Sender, link: Link, call: string): boolean {
  return by.format.addressing === "name" && arePaired(by, link) && callOf(by, link) === call;
}

/** Whether a call is one that the router gave a session for a by-name client: no client chooses such a label. */
export function isOwnCall({ format }: Sender, call: string): boolean {
  return format.addressing === "name" && /^[^:]+:@\d+$/.test(call);
}

/** Whether a link is of a by-name format, and will call the other by a label. */
export function callsByLabel(links: Links, by: Sender, peer: Sender): boolean {
  return by.format.addressing === "name" && futureCallOf(links, by, peer) !== peer.name;
}

/** No instance begins with "@". */
function uniqueLabel({ name, instance = "", address }: Endpoint & { readonly instance?: string }): string {
  return labelOf(name, instance === "" ? `@${address}` : instance);
}
