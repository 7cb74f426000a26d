/**
 * Shares places among peers, so that none can take them all: a peer gets at most half of what the others leave. A guest
 * counts as the client that invited it.
 */
export class Shares {
  readonly #places: number;
  readonly #taken = new Map<string, number>();
  #allTaken = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** Takes a place for a peer. Returns why there is none, or `undefined` if the peer has it now. */
  take(peer: string): string | undefined {
    const principal = principalOf(peer);
    const own = this.#taken.get(principal) ?? 0;
    if (this.#allTaken >= this.#places) return "Too many commands are running";
    const leftByOthers = this.#places - (this.#allTaken - own);
    // A first command runs wherever there is room.
    if (own > 0 && own + 1 > leftByOthers / 2) return "Too many of your commands are running";
    this.#taken.set(principal, own + 1);
    this.#allTaken++;
    return undefined;
  }

  /** Gives back a place that `take` gave. */
  giveBack(peer: string): void {
    const principal = principalOf(peer);
    const own = this.#taken.get(principal) ?? 0;
    if (own > 1) this.#taken.set(principal, own - 1);
    else this.#taken.delete(principal);
    this.#allTaken--;
  }
}

/** The client that answers for a peer: a guest is named "HOST/GUEST". */
function principalOf(peer: string): string {
  return peer.split("/", 1)[0] ?? peer;
}
