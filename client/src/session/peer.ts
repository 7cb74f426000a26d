import type { ControlFrame } from "@messagepasser/protocol";
import type { Channel } from "../connection/channel.ts";
import type { Route } from "../connection/channel-start.ts";
import { backoffMs } from "../link/backoff.ts";
import type { Link } from "../link/link.ts";
import type { Clock } from "../link/platform.ts";
import type { Turn } from "../link/turns.ts";

/** The longest pause between two questions for a peer that is away. */
const mostPauseMs = 5_000;

/** What a peer that is away is sought with. */
export interface Search {
  readonly clock: Clock;
  readonly graceMs: number;
  /** Asks the router for the peer, if that can be asked. */
  ask(peer: Peer): void;
  /** The grace is over. */
  giveUp(peer: Peer): void;
}

/**
 * Another client's session, and the channels with it. It outlives links, on either side: while the peer can't be reached
 * it is sought, for as long as there are channels that could go on.
 */
export class Peer implements Route {
  readonly name: string;
  readonly session: string;
  /** By the id that frames from the peer carry. */
  readonly channels = new Map<number, Channel>();
  /** Opens from the peer that are neither accepted nor rejected. */
  pendingOpens = 0;
  /** The highest id that the peer opened with. */
  highestOpen: number;
  /** The highest one of before this client forgot the session: it must not handle such an open again. */
  readonly forgottenOpen: number;
  #link: Link | undefined;
  #address = 0;
  #stopSearch: (() => void) | undefined;

  constructor(name: string, session: string, forgottenOpen = 0) {
    this.forgottenOpen = this.highestOpen = forgottenOpen;
    this.name = name;
    this.session = session;
  }

  /** Where the peer is on this link, 0 where that is not known. */
  get address(): number {
    return this.#address;
  }

  get isFull(): boolean {
    return this.#link?.isFull ?? true;
  }

  /** The peer is at an address of this link now. Does nothing where that is known. */
  bind(link: Link, address: number): void {
    if (this.#link === link && this.#address === address) return;
    this.stopSearch();
    this.#link = link;
    this.#address = address;
    for (const channel of this.channels.values()) channel.bind(this);
  }

  /** The peer has no address, or there is no link. */
  unbind(): void {
    this.#link = undefined;
    this.#address = 0;
    for (const channel of this.channels.values()) channel.unbind();
  }

  /** Asks for the peer again and again, with growing pauses, until it is there or the grace is over. */
  search(search: Search): void {
    if (this.#stopSearch !== undefined) return;
    const { clock, graceMs } = search;
    let stopAsking: () => void;
    const askLater = (attempt: number): void => {
      stopAsking = clock.after(backoffMs(attempt, clock.random(), mostPauseMs), () => {
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
  }

  frame(frame: ControlFrame): void {
    this.#link?.frame(this.#address, frame);
  }

  data(connection: number, flags: number, offset: number, previousSegment: number, payload: Uint8Array): number {
    return this.#link?.data(this.#address, connection, flags, offset, previousSegment, payload) ?? 0;
  }

  requestTurn(turn: Turn): void {
    this.#link?.requestTurn(turn);
  }
}
