import { routerLimits } from "@messagepasser/protocol";

/**
 * Names by which of a list's items fit them. Names that the same items fit are one group, and get the very same array: what
 * was found out for one name of a group holds for the others.
 */
export class NameGroups<Item> {
  readonly #items: readonly Item[];
  readonly #ofName = new Map<string, readonly Item[]>();
  readonly #byItems = new Map<string, readonly Item[]>();

  constructor(items: readonly Item[]) {
    this.#items = items;
  }

  /** The items that fit a name, in their order. @param fits is asked only for a name that isn't known yet */
  of(name: string, fits: (item: Item) => boolean): readonly Item[] {
    const known = this.#ofName.get(name);
    if (known !== undefined) return known;
    // Starts again: a simple way to forget names that are gone.
    if (this.#ofName.size >= routerLimits.maxCachedNames) {
      this.#ofName.clear();
      this.#byItems.clear();
    }
    const places: number[] = [];
    const fitting = this.#items.filter((item, at) => fits(item) && places.push(at));
    const key = places.join();
    const group = this.#byItems.get(key) ?? fitting;
    this.#byItems.set(key, group);
    this.#ofName.set(name, group);
    return group;
  }
}
