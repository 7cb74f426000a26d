import type { PeerFrame } from "@messagepasser/protocol";
import { Violation } from "./violation.ts";

/** Frames that an opener may send before its open is accepted. */
const allowedWhilePending: ReadonlySet<PeerFrame["kind"]> = new Set(["reset", "done"]);
/** Frames that the other end may send on a new route before its first credit there, and that credit. */
const allowedBeforeCredit: ReadonlySet<PeerFrame["kind"]> = new Set(["credit", "reset", "done"]);

/**
 * Checks a frame that comes before the other end may send everything.
 *
 * @param isPending whether the other end's open isn't accepted yet. Otherwise its first credit is awaited.
 * @throws Violation for a frame that comes too early.
 */
export function checkOrder(kind: PeerFrame["kind"], isPending: boolean): void {
  if ((isPending ? allowedWhilePending : allowedBeforeCredit).has(kind)) return;
  throw new Violation(`Frame "${kind}" before the ${isPending ? "open is accepted" : "first credit"}`);
}
