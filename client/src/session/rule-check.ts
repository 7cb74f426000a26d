import { errorCodes, openerBit, routerAddress, type RouterFrameOf } from "@messagepasser/protocol";
import { notAllowed } from "../connection/error-text.ts";
import type { Link } from "../link/link.ts";
import type { Peer } from "./peer.ts";

/** The rules for a peer have changed: asks the router about each protocol that is open with it. */
export function checkProtocols(peer: Peer, link: Link): void {
  const asked = new Set<string>();
  for (const { key, protocol, isOver } of peer.channels.values()) {
    const opener = openedHere(key);
    if (isOver || asked.has(opener + protocol)) continue;
    asked.add(opener + protocol);
    link.frame(routerAddress, { kind: "check", address: peer.address, opener, protocol });
  }
}

/** Ends the channels that the router has denied. */
export function endDenied(peer: Peer, { opener, protocol, reason }: RouterFrameOf<"denied">): void {
  for (const channel of peer.channels.values()) {
    if (openedHere(channel.key) !== opener || channel.protocol !== protocol) continue;
    channel.reset(errorCodes.notAllowed, reason, channel.error("not-allowed", notAllowed));
  }
}

/** 1 for a channel that was opened from here, else 0. */
function openedHere(key: number): number {
  return (key & openerBit) === 0 ? 1 : 0;
}
