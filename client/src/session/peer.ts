import { clientLimits, type ControlFrame, splitLabel } from "@messagepasser/protocol";
import type { ConnectionStatus } from "../status.ts";
import type { Channel } from "../connection/channel.ts";
import type { Carrier, Destination } from "../connection/route.ts";
import { tellWatcher } from "../connection/watchers.ts";
import { backoffMs } from "../link/backoff.ts";
import type { Clock } from "../link/platform.ts";

/** What a search for an absent peer needs. */
export interface Search {
  readonly clock: Clock;
  readonly graceMs: number;
  /** Asks the router for the peer, if there is a link. */
  ask(peer: Peer): void;
  /** The grace is over. */
  giveUp(peer: Peer): void;
}

/**
 * Another client's session, and the channels with it. It outlives links, on either side: while the peer can't be reached
 * it is sought, for as long as there are channels that could go on.
 */
export class Peer {
  /** The name, and the instance after a colon if there is one. */
  readonly label: string;
  readonly name: string;
  readonly instance: string;
  readonly session: string;
  /** By the id that frames from the peer carry. */
  readonly channels = new Map<number, Channel>();
  /** The highest id that the peer opened with. */
  lastOpen = 0;
  /** `lastOpen` as it was when the session was said to be over. If the session comes back, no open up to this id is handled again. */
  endedOpen = 0;
  #at: Destination | undefined;
  #stopSearch: (() => void) | undefined;
  /** The status of the Connections while the peer is sought. */
  #away: Extract<ConnectionStatus, { kind: "away" | "offline" }> | undefined;

  constructor(label: string, session: string) {
    this.label = label;
    ({ name: this.name, instance: this.instance } = splitLabel(label));
    this.session = session;
  }

  /** Where the peer is on this link, 0 where that is not known. */
  get address(): number {
    return this.#at?.address ?? 0;
  }

  get at(): Destination | undefined {
    return this.#at;
  }

  /** The status of each Connection with the peer that hasn't ended. */
  get status(): ConnectionStatus {
    return this.#away ?? { kind: "online" };
  }

  /** The peer is at an address of this link now, which was not known. */
  bind(link: Carrier, address: number): void {
    const wasAway = this.isSought;
    this.stopSearch();
    const at = { carrier: link, address };
    this.#at = at;
    for (const channel of this.channels.values()) channel.bind(at);
    if (wasAway) this.#tellWatchers();
  }

  /** The peer has no address, or there is no link. */
  unbind(): void {
    this.#at = undefined;
    for (const channel of this.channels.values()) channel.unbind();
  }

  /**
   * Asks for the peer again and again, with growing pauses, until it is there or the grace is over.
   *
   * @param kind whether it is the peer's link that is lost, or this client's.
   */
  search(search: Search, kind: "away" | "offline"): void {
    if (this.#away?.kind === kind) return;
    const { clock, graceMs } = search;
    const until = Number.isFinite(graceMs) ? new Date(Date.now() + graceMs) : undefined;
    this.#away = { kind, until: this.#away === undefined ? until : this.#away.until };
    this.#tellWatchers();
    if (this.isSought) return;
    let stopAsking: () => void;
    const askLater = (attempt: number): void => {
      stopAsking = clock.after(backoffMs(attempt, clock.random(), clientLimits.maxResumeRetryMs), () => {
        search.ask(this);
        askLater(attempt + 1);
      });
    };
    askLater(0);
    const stopGrace = clock.after(graceMs, () => {
      this.stopSearch();
      search.giveUp(this);
    });
    this.#stopSearch = () => {
      stopAsking();
      stopGrace();
    };
  }

  get isSought(): boolean {
    return this.#stopSearch !== undefined;
  }

  stopSearch(): void {
    this.#stopSearch?.();
    this.#stopSearch = undefined;
    this.#away = undefined;
  }

  #tellWatchers(): void {
    for (const channel of this.channels.values()) if (!channel.isOver) tellWatcher(channel);
  }

  frame(frame: ControlFrame): void {
    this.#at?.carrier.frame(this.#at.address, frame);
  }
}
