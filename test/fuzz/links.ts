import type { Format, WireMessage } from "@messagepasser/protocol/formats";
import type { Runtime } from "../../src/routing/routing.ts";
import { Rules } from "../../src/routing/rules.ts";
import { type Link, type Links, LinkMemory } from "../../src/routing/link.ts";
import { ListedPairs } from "../support/listed-pairs.ts";

const noRules = Rules.parse("");

/** A link that keeps what it is sent. */
export class KeepingLink implements Link {
  readonly address: number;
  readonly name: string;
  readonly session: string;
  readonly resumes: boolean;
  readonly format: Format;
  readonly pairs = new ListedPairs();
  readonly memory = new LinkMemory();
  readonly lastHeardMs = 0;
  formatMemory = new Uint8Array();
  closed: { readonly code: number; readonly reason: string } | undefined;
  #messages: WireMessage[] = [];

  constructor(address: number, name: string, format: Format) {
    this.address = address;
    this.name = name;
    this.session = address.toString(16).padStart(32, "0");
    this.format = format;
    this.resumes = format.addressing === "address";
  }

  send(message: WireMessage): void {
    if (this.closed !== undefined) throw new Error(`Something was sent to "${this.name}" after its close`);
    // A socket copies what it sends, and the router goes on writing into the batch.
    this.#messages.push(typeof message === "string" ? message : message.slice());
  }

  close(code: number, reason: string): void {
    if (this.closed !== undefined) throw new Error(`"${this.name}" was closed twice`);
    this.closed = { code, reason };
  }

  /** What came since the last call. */
  take(): WireMessage[] {
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }
}

export class KeepingLinks implements Links {
  readonly #links = new Map<number, KeepingLink>();

  add(link: KeepingLink): void {
    this.#links.set(link.address, link);
  }

  remove(link: KeepingLink): void {
    this.#links.delete(link.address);
  }

  byAddress(address: number): KeepingLink | undefined {
    return this.#links.get(address);
  }

  byName(name: string): KeepingLink | undefined {
    for (const link of this.#links.values()) if (link.name === name) return link;
    return undefined;
  }

  get knownCount(): number {
    return this.#links.size;
  }

  all(): Iterable<KeepingLink> {
    return this.#links.values();
  }
}

/** The same numbers in every realm, so that an input alone decides what happens. */
export class StillSurroundings implements Runtime {
  #token = 0;

  now(): number {
    return 1_000;
  }

  randomU32(): number {
    this.#token = (this.#token + 0x9e37_79b9) >>> 0;
    return this.#token;
  }

  /** All is open, as in a realm that has none. */
  rules(): Rules {
    return noRules;
  }

  abort(reason: string): void {
    throw new Error(`The router ended itself: ${reason}`);
  }
}
