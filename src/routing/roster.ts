import type { Link, Links } from "./link.ts";

/** All links in the order of their addresses, while snapshots need them. */
export class Roster {
  readonly #links: Links;
  #sorted: Link[] | undefined;
  /** How many links have left since the roster was made. */
  #departed = 0;

  constructor(links: Links) {
    this.#links = links;
  }

  /** Some of them may be over. */
  get all(): readonly Link[] {
    if (this.#sorted === undefined) {
      this.#departed = 0;
      this.#sorted = Array.from(this.#links.all()).sort((one, other) => one.address - other.address);
    }
    return this.#sorted;
  }

  joined(link: Link): void {
    // The realm uses an address again only after all others.
    if (this.#sorted !== undefined && link.address > (this.#sorted.at(-1)?.address ?? 0)) this.#sorted.push(link);
    else this.forget();
  }

  left(): void {
    if (this.#sorted !== undefined && ++this.#departed > this.#sorted.length / 2) this.forget();
  }

  /** No snapshot needs it now. */
  forget(): void {
    this.#sorted = undefined;
  }
}
