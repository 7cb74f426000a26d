// Links that take as little memory as there can be: what a real one has besides is the runtime's.
import { native, type WireMessage } from "@messagepasser/protocol/formats";
import { type KeptWatches, type Link, LinkMemory, type Links, linksAt, type Pairs } from "../../src/routing/link.ts";
import type { Services } from "../../src/routing/services.ts";

/** What becomes of what a link is sent, and of its close. */
export interface LinkOwner {
  readonly nowMs: number;
  sent(link: LightLink, message: WireMessage): void;
  closed(link: LightLink): void;
}

const noMemory = new Uint8Array();

export class LightLink implements Link {
  readonly client: number;
  readonly address: number;
  readonly name: string;
  readonly pairs = new LightPairs();
  sinceMs: number;
  services: Services | undefined;
  watches: KeptWatches | undefined;
  readonly #links: LightLinks;
  #memory: LinkMemory | undefined;
  /** Of the object, when the memory was made. */
  #wake = 0;

  constructor(links: LightLinks, { client, name, address }: { client: number; name: string; address: number }) {
    this.#links = links;
    this.client = client;
    this.name = name;
    this.address = address;
    this.sinceMs = links.owner.nowMs;
  }

  /** A sleep of the object loses it. */
  get memory(): LinkMemory {
    if (this.#memory === undefined || this.#wake !== this.#links.wake) {
      this.#memory = new LinkMemory();
      this.#wake = this.#links.wake;
      this.#links.inMemory++;
    }
    return this.#memory;
  }

  get label(): string {
    return this.name;
  }

  get session(): string {
    return this.client.toString(16).padStart(32, "0");
  }

  get instance(): string {
    return "";
  }

  get resumes(): boolean {
    return true;
  }

  get format(): typeof native {
    return native;
  }

  get formatMemory(): Uint8Array {
    return noMemory;
  }

  /** All clients send heartbeats. */
  get lastHeardMs(): number {
    return this.#links.owner.nowMs;
  }

  send(message: WireMessage): void {
    this.#links.owner.sent(this, message);
  }

  close(): void {
    this.#links.owner.closed(this);
  }
}

/** None of them fills its list. */
class LightPairs implements Pairs {
  #addresses: Set<number> | undefined;

  get overflowed(): boolean {
    return false;
  }

  get isFull(): boolean {
    return false;
  }

  has(address: number): boolean {
    return this.#addresses?.has(address) === true;
  }

  hasLabel(): boolean {
    return false;
  }

  // No client has a by-name format.
  callOf(): undefined {
    return undefined;
  }

  addressOf(): undefined {
    return undefined;
  }

  hasRoomFor(): boolean {
    return true;
  }

  add(address: number): boolean {
    (this.#addresses ??= new Set()).add(address);
    return true;
  }

  remove(address: number): void {
    this.#addresses?.delete(address);
  }

  overflow(): void {
    throw new Error("A list without a bound has room for any pair");
  }

  [Symbol.iterator](): Iterator<number> {
    return (this.#addresses ?? []).values();
  }
}

/** The links of one shard. Each client has one. */
export class LightLinks implements Links {
  readonly owner: LinkOwner;
  readonly #byAddress = new Map<number, LightLink>();
  readonly #byName = new Map<string, LightLink>();
  #nextAddress: number;
  #watching: readonly number[] = [];
  /** How often the object woke. */
  wake = 0;
  /** Links that were looked up since it woke. */
  inMemory = 0;

  constructor(owner: LinkOwner, firstAddress: number) {
    this.owner = owner;
    this.#nextAddress = firstAddress;
  }

  get count(): number {
    return this.#byAddress.size;
  }

  make(client: number, name: string): LightLink {
    return new LightLink(this, { client, name, address: this.#nextAddress++ });
  }

  /** The object has left memory: of all links only what is attached to their sockets is left. */
  sleep(): void {
    this.wake++;
    this.inMemory = 0;
  }

  add(link: LightLink): void {
    this.#byAddress.set(link.address, link);
    this.#byName.set(link.name, link);
  }

  remove(link: LightLink): void {
    this.#byAddress.delete(link.address);
    if (this.#byName.get(link.name) === link) this.#byName.delete(link.name);
    this.inMemory--;
  }

  byAddress(address: number): LightLink | undefined {
    return this.#byAddress.get(address);
  }

  named(name: string): readonly LightLink[] {
    const link = this.#byName.get(name);
    return link === undefined ? [] : [link];
  }

  all(): Iterable<LightLink> {
    return this.#byAddress.values();
  }

  watching(): LightLink[] {
    return Array.from(linksAt(this, this.#watching)).filter(({ watches }) => watches !== undefined);
  }

  noteWatching(addresses: readonly number[]): void {
    this.#watching = addresses;
  }
}
