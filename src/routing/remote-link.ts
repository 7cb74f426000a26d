import { labelOf } from "@messagepasser/protocol";
import type { Format } from "@messagepasser/protocol/formats";
import type { Stranger } from "./crossing-item.ts";
import { type Grant, LinkMemory, type Pairs, type Sender, type TokenGrant } from "./link.ts";
import { Meter } from "./meter.ts";
import type { Account } from "./principals.ts";

/** A link of another shard. Its home keeps its pairs, and counts what is unread of it. */
export class RemoteLink implements Sender {
  readonly address: number;
  readonly name: string;
  readonly label: string;
  readonly session: string;
  readonly instance: string;
  readonly format: Format;
  readonly grant: Grant | undefined;
  readonly token: TokenGrant | undefined;
  readonly pairs = noPairs;
  readonly memory = new LinkMemory();

  /** @param account of the link's principal in this shard */
  constructor({ address, name, session, instance, format, grant, token }: Stranger, account: Account) {
    this.address = address;
    this.name = name;
    this.label = labelOf(name, instance);
    this.session = session;
    this.instance = instance;
    this.format = format;
    this.grant = grant;
    this.token = token;
    this.memory.meter = new Meter(account);
  }
}

/** So that only the link of this shard can list the pair. */
const noPairs: Pairs = {
  overflowed: false,
  isFull: true,
  has: () => false,
  hasLabel: () => false,
  callOf: () => undefined,
  addressOf: () => undefined,
  hasRoomFor: () => false,
  add: () => false,
  remove: () => undefined,
  overflow: () => undefined,
  [Symbol.iterator]: () => [][Symbol.iterator](),
};
