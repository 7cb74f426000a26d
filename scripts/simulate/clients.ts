import {
  anySession,
  dataHeaderBytes,
  encodeBatch,
  routerAddress,
  type RouterFrame,
  segmentHeaderBytes,
  SegmentReader,
  setU32,
} from "@messagepasser/protocol";
import { native, type WireMessage } from "@messagepasser/protocol/formats";
import { shardOf } from "../../src/shards/address.ts";
import { homeOf } from "../../src/shards/home.ts";
import { Random } from "../../test/soak/random.ts";
import type { SimulatedClock } from "./clock.ts";
import type { LightLink } from "./light-links.ts";
import { Population } from "./population.ts";
import { answerAfterMs, awayMs, messageBytes, type Scenario } from "./scenario.ts";
import type { SimulatedShard } from "./shard.ts";

/** What a client sends a peer, told by its first byte. Of what two clients send each other the router reads nothing. */
const parcels = { question: 1, answer: 2, acknowledgement: 3 } as const;

/** Bytes of a data frame whose offset is written out, and of a credit frame. */
const parcelBytes = { 1: dataHeaderBytes + 8 + messageBytes, 2: dataHeaderBytes + 8 + messageBytes, 3: 24 } as const;

/** What a client tries again after so long: clients do it when they are told of the peer. */
const againAfterMs = 1_000;

/** What arrived is acknowledged once a second: see client/src/connection/upkeep.ts. */
const acknowledgeAfterMs = 1_000;

/** A client that asks a peer now and then. */
interface Chat {
  readonly client: number;
  readonly peer: number;
  /** Of the peer's link; `undefined` while the two are not paired. */
  address: number | undefined;
  wasOpened: boolean;
}

/** All clients of a realm: they come and go, a few of them talk, and all do what the router wants of a client. */
export class Clients {
  readonly #clock: SimulatedClock;
  readonly #shards: readonly SimulatedShard[];
  readonly #scenario: Scenario;
  readonly #population: Population;
  readonly #random = new Random("clients");
  readonly #links: (LightLink | undefined)[] = [];
  readonly #chats = new Map<number, Chat>();
  /** Addresses of peers of which something came that was not acknowledged. */
  readonly #unacknowledged = new Map<LightLink, Set<number>>();
  refusals = 0;
  answers = 0;

  constructor(clock: SimulatedClock, shards: readonly SimulatedShard[], scenario: Scenario) {
    this.#clock = clock;
    this.#shards = shards;
    this.#scenario = scenario;
    this.#population = new Population(scenario.clients);
  }

  /** All clients connect. */
  connect(): void {
    for (let client = 0; client < this.#scenario.clients; client++) this.#join(client);
  }

  #join(client: number): void {
    const name = this.#population.nameOf(client);
    this.#links[client] = this.#shards[homeOf(name, this.#shards.length)]?.join(client, name);
  }

  /** From now on clients come and go. */
  comeAndGo(): void {
    const { clients, connects } = this.#scenario;
    if (connects === 0) return;
    const perSecond = (clients * connects) / (30 * 86_400);
    this.#clock.after(this.#pauseMs(perSecond), () => {
      this.#leave(Math.floor(this.#random.fraction() * clients));
      this.comeAndGo();
    });
  }

  /** Until the next of events that come by chance, as often as this. */
  #pauseMs(perSecond: number): number {
    return (-1_000 * Math.log(1 - this.#random.fraction())) / perSecond;
  }

  #leave(client: number): void {
    const link = this.#links[client];
    if (link === undefined) return;
    this.#links[client] = undefined;
    this.#homeOf(link).leave(link);
    const chat = this.#chats.get(client);
    if (chat !== undefined) chat.address = undefined;
    this.#clock.after(awayMs, () => {
      this.#join(client);
      if (chat !== undefined) this.#meet(chat);
    });
  }

  /** From now on some clients talk. @param withinMs they begin within this time */
  talk(withinMs: number): void {
    const { clients, chatty, afar } = this.#scenario;
    const [random, population] = [this.#random, this.#population];
    for (let count = Math.round(clients * chatty); count > 0; count--) {
      const isAfar = random.fraction() < afar;
      let client: number;
      do client = isAfar ? population.phone(random.fraction()) : population.device(random.fraction());
      while (this.#chats.has(client));
      const peer = isAfar ? population.device(random.fraction()) : population.neighbour(client, random.fraction());
      const chat: Chat = { client, peer, address: undefined, wasOpened: false };
      this.#chats.set(client, chat);
      this.#clock.after(random.fraction() * withinMs, () => {
        this.#meet(chat);
        this.#askOn(chat);
      });
    }
  }

  /** Opens a Connection, or resumes with the peer. */
  #meet(chat: Chat): void {
    const link = this.#links[chat.client];
    if (link === undefined) return;
    const peer = this.#population.nameOf(chat.peer);
    const frame: RouterFrame = chat.wasOpened
      ? { kind: "resume", session: sessionOf(chat.peer), peer }
      : {
          kind: "open",
          connection: 1,
          address: routerAddress,
          session: anySession,
          peer,
          protocol: "ask",
          limit: 262_144,
          metadata: {},
          flags: 0,
          first: new Uint8Array(),
        };
    this.#send(link, encodeBatch(routerAddress, frame));
  }

  #askOn(chat: Chat): void {
    this.#clock.after(this.#pauseMs(this.#scenario.asksPerSecond), () => {
      const link = this.#links[chat.client];
      if (link !== undefined && chat.address !== undefined)
        this.#send(link, parcelTo([chat.address], parcels.question));
      this.#askOn(chat);
    });
  }

  /** The router has sent a client something. */
  hear(link: LightLink, message: WireMessage): void {
    if (typeof message === "string") throw new TypeError("All simulated clients use the native format");
    const segments = new SegmentReader(message);
    while (segments.next()) {
      if (segments.address !== routerAddress) {
        this.#heardPeer(link, segments.address, message[segments.start]);
        continue;
      }
      const frames = native.routerFrames(message, segments.start, segments.end);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) this.#heardRouter(link, frame);
    }
  }

  #heardPeer(link: LightLink, address: number, parcel: number | undefined): void {
    if (parcel === parcels.acknowledgement) return;
    if (parcel === parcels.answer) this.answers++;
    else this.#sendSoon(link, answerAfterMs, () => parcelTo([address], parcels.answer));
    const known = this.#unacknowledged.get(link);
    if (known !== undefined) {
      known.add(address);
      return;
    }
    const addresses = new Set([address]);
    this.#unacknowledged.set(link, addresses);
    this.#sendSoon(link, acknowledgeAfterMs, () => {
      this.#unacknowledged.delete(link);
      return parcelTo([...addresses], parcels.acknowledgement);
    });
  }

  #heardRouter(link: LightLink, frame: RouterFrame): void {
    const chat = this.#chats.get(link.client);
    switch (frame.kind) {
      case "mark":
        this.#sendSoon(link, 0, () => encodeBatch(routerAddress, { kind: "reached", token: frame.token }));
        break;
      case "open":
        this.#sendSoon(link, answerAfterMs, () => parcelTo([frame.address], parcels.acknowledgement));
        break;
      case "routed":
        if (chat === undefined) break;
        chat.address = frame.address;
        chat.wasOpened = true;
        break;
      case "paired":
        if (chat !== undefined && frame.session === sessionOf(chat.peer)) chat.address = frame.address;
        break;
      case "gone":
        if (chat?.address !== frame.address) break;
        chat.address = undefined;
        this.#meetAgain(chat);
        break;
      case "refused":
      case "absent":
        if (chat === undefined) break;
        this.refusals++;
        this.#meetAgain(chat);
        break;
      default:
    }
  }

  #meetAgain(chat: Chat): void {
    this.#clock.after(againAfterMs, () => {
      if (chat.address === undefined) this.#meet(chat);
    });
  }

  #sendSoon(link: LightLink, delayMs: number, batch: () => Uint8Array): void {
    this.#clock.after(delayMs, () => {
      const bytes = batch();
      if (this.#links[link.client] === link) this.#send(link, bytes);
    });
  }

  #send(link: LightLink, batch: Uint8Array): void {
    this.#homeOf(link).receive(link, batch);
  }

  #homeOf({ address, name }: LightLink): SimulatedShard {
    const shard = this.#shards[shardOf(address)];
    if (shard === undefined) throw new Error(`Nobody is the home of "${name}"`);
    return shard;
  }
}

function sessionOf(client: number): string {
  return client.toString(16).padStart(32, "0");
}

/** A batch with the same for each of these addresses. */
function parcelTo(addresses: readonly number[], parcel: keyof typeof parcelBytes): Uint8Array {
  const length = segmentHeaderBytes + parcelBytes[parcel];
  const batch = new Uint8Array(addresses.length * length);
  for (const [at, address] of addresses.entries()) {
    setU32(batch, at * length, address);
    setU32(batch, at * length + 4, parcelBytes[parcel]);
    batch[at * length + segmentHeaderBytes] = parcel;
  }
  return batch;
}
