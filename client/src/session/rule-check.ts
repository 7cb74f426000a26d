import { clientLimits, errorCodes, openerBit, routerAddress, type RouterFrameOf } from "@messagepasser/protocol";
import { notAllowed } from "../connection/error-text.ts";
import type { Link } from "../link/link.ts";
import type { Clock } from "../link/platform.ts";
import type { Peer } from "./peer.ts";

const { maxChecksOfPeerPerSecond, maxChecksPerSecond } = clientLimits;

/** A protocol to ask the router about. */
interface Question {
  readonly opener: number;
  readonly protocol: string;
}

/**
 * Asks the router about each protocol that is open with a peer once the rules for that peer have changed. A peer decides
 * how many protocols there are and how often it is paired again, and each question counts in the rate of the client's
 * opens: so a peer causes only so many in a second, and the others wait.
 */
export class RuleChecks {
  readonly #clock: Clock;
  readonly #link: () => Link | undefined;
  /** What is still to be asked, for each peer that was asked about within a second. */
  readonly #questions = new Map<Peer, Question[]>();
  /** Peers whose rules have changed again since the questions were noted. */
  readonly #again = new Set<Peer>();
  /** How many questions may still be asked in this second. */
  #left: number = maxChecksPerSecond;
  #cancelTimer: (() => void) | undefined;

  /** @param link the link, while the router takes frames. */
  constructor(clock: Clock, link: () => Link | undefined) {
    this.#clock = clock;
    this.#link = link;
  }

  /** The rules for a peer have changed. */
  add(peer: Peer): void {
    if (this.#questions.has(peer)) this.#again.add(peer);
    else this.#ask(peer, questionsAbout(peer));
  }

  /** Forgets all peers: the link is lost, and with the next one the router says anew what has changed. */
  clear(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#questions.clear();
    this.#again.clear();
    this.#left = maxChecksPerSecond;
  }

  /** Asks as much as may be asked about a peer in a second, and notes the rest. */
  #ask(peer: Peer, questions: Question[]): void {
    const asked = questions.splice(0, Math.min(maxChecksOfPeerPerSecond, this.#left));
    for (const question of asked)
      this.#link()?.frame(routerAddress, { kind: "check", address: peer.address, ...question });
    this.#left -= asked.length;
    this.#questions.set(peer, questions);
    this.#cancelTimer ??= this.#clock.after(1_000, () => {
      this.#cancelTimer = undefined;
      this.#left = maxChecksPerSecond;
      const due = [...this.#questions];
      for (const [each, left] of due) this.#goOn(each, left);
    });
  }

  #goOn(peer: Peer, left: Question[]): void {
    this.#questions.delete(peer);
    if (peer.address === 0) this.#again.delete(peer);
    else if (left.length > 0) this.#ask(peer, left);
    else if (this.#again.delete(peer)) this.#ask(peer, questionsAbout(peer));
  }
}

function questionsAbout(peer: Peer): Question[] {
  const questions = new Map<string, Question>();
  for (const { key, protocol, isOver } of peer.channels.values()) {
    const opener = openedHere(key);
    if (!isOver) questions.set(opener + protocol, { opener, protocol });
  }
  return [...questions.values()];
}

/** Ends the channels that the router has denied. */
export function endDenied(peer: Peer | undefined, { opener, protocol, reason }: RouterFrameOf<"denied">): void {
  for (const channel of peer?.channels.values() ?? []) {
    if (openedHere(channel.key) !== opener || channel.protocol !== protocol) continue;
    channel.reset(errorCodes.notAllowed, reason, channel.error("not-allowed", notAllowed));
  }
}

/** 1 for a channel that was opened from here, else 0. */
function openedHere(key: number): number {
  return (key & openerBit) === 0 ? 1 : 0;
}
