import { limits, routerAddress, utf8Length } from "@messagepasser/protocol";
import type { Link } from "../link/link.ts";

/** What stands for every protocol. */
export const everything = "*";

/** Tells the router which protocols this session serves, so that no other open comes here. */
export class Serving {
  readonly #defer: (callback: () => void) => void;
  readonly #link: () => Link | undefined;
  /** By protocol, whether other sessions of this name share it. */
  readonly #served = new Map<string, boolean>();
  /** What the router knows on this link; `undefined` before it was told anything. */
  #told: ReadonlyMap<string, boolean> | undefined;

  /** @param link the link, while the router takes frames. */
  constructor(defer: (callback: () => void) => void, link: () => Link | undefined) {
    this.#defer = defer;
    this.#link = link;
  }

  /** @param isShared whether other sessions of this name share the protocol */
  add(protocol: string, isShared: boolean): void {
    this.#served.set(protocol, isShared);
    this.#change();
  }

  remove(protocol: string): void {
    if (this.#served.delete(protocol)) this.#change();
  }

  /** There is a new link, whose router knows nothing yet. The router is told at the end of this turn, after the program. */
  tellAll(): void {
    this.#told = undefined;
    this.#defer(() => {
      this.#tell();
    });
  }

  /** At once, so that an open that another client of this program sends in the same turn finds it. */
  #change(): void {
    if (this.#told === undefined) return;
    this.#tell();
    this.#link()?.flush();
  }

  #tell(): void {
    const link = this.#link();
    if (link === undefined) return;
    // Where that is too much for the router, it is told `*`, and opens without a handler are refused here.
    const wanted = fits(this.#served) ? this.#served : new Map([[everything, false]]);
    const told = this.#told ?? new Map<string, boolean>();
    const remove = [...told.keys()].filter((protocol) => !wanted.has(protocol));
    const added = [...wanted].filter(([protocol, isShared]) => told.get(protocol) !== isShared);
    for (const share of [0, 1]) {
      const add = added.filter(([, isShared]) => Number(isShared) === share).map(([protocol]) => protocol);
      const gone = share === 0 ? remove : [];
      if (add.length + gone.length > 0) link.frame(routerAddress, { kind: "serve", share, add, remove: gone });
    }
    this.#told = new Map(wanted);
  }
}

function fits(served: ReadonlyMap<string, boolean>): boolean {
  const bytes = [...served.keys()].reduce((sum, protocol) => sum + utf8Length(protocol), 0);
  return served.size <= limits.maxServices && bytes <= limits.maxServicesBytes;
}
