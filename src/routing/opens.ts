import {
  anySession,
  dataFlags,
  errorCodes,
  goneReasons,
  labelProblem,
  limits,
  protocolProblem,
  routerAddress,
  type RouterFrame,
  type RouterFrameOf,
  routerLimits,
  splitLabel,
} from "@messagepasser/protocol";
import { byteLength, type WireMessage } from "@messagepasser/protocol/formats";
import type { Access } from "./access.ts";
import { type BuiltInPeer, builtInPeerNamed } from "./built-in-peers.ts";
import { callOf, entriesOf, futureCallOf, isCalled, isNameTaken, isOwnCall } from "./calling.ts";
import { chosenOf } from "./choice.ts";
import { closings } from "./closings.ts";
import type { Delivery, GivenUp } from "./delivery.ts";
import type { Departures } from "./departures.ts";
import { routerMessages } from "./encoding.ts";
import type { Last } from "./last-sessions.ts";
import { areBarred } from "./principals.ts";
import {
  arePaired,
  canPair,
  type Endpoint,
  type Link,
  type Links,
  pair,
  type PairEntries,
  type Sender,
} from "./link.ts";
import type { Outbound } from "./outbound.ts";
import type { RemoteLink } from "./remote-link.ts";

/** What the checks read, and don't change. */
interface Realm {
  readonly name: string;
  readonly links: Links;
  readonly access: Access;
  readonly delivery: Delivery;
  readonly outbound: Outbound;
}

interface Situation extends Realm {
  readonly nowMs: number;
  random(): number;
  /** Whether the client stays within its rate of opens and resumes. */
  readonly isWithinRate: boolean;
}

/** An open that the router lets through, with the messages that tell the peer about it. */
interface Route {
  readonly to: Link;
  readonly messages: readonly WireMessage[];
  /** Of the sender and of `to`. */
  readonly entries: PairEntries;
}

/** Why an open goes nowhere, as a `refused` frame says it. */
interface Refusal {
  readonly code: number;
  readonly reason: string;
  /** The link that was chosen, where it turned out to be of no use. */
  readonly givenUp?: GivenUp;
}

/** Why a resume fails, as an `absent` frame says it. */
interface Absence {
  readonly absence: number;
  readonly givenUp?: GivenUp;
}

/** The shard that has the peer's links, and decides the rest. */
interface Elsewhere {
  readonly shard: number;
}

/** What a client of another shard is told. */
interface Reply {
  readonly frame: RouterFrame;
  /** The link that it is paired with from now on. */
  readonly to?: Link;
  /** Whether that one, of a by-name format, calls the client by a label. */
  readonly callsByLabel?: boolean;
  /** Whether the two may have been paired under other rules before. */
  readonly mayDiffer?: boolean;
}

/** Opens and resumes. A function that changes nothing decides each of them; the methods here carry its decision out. */
export class Opens {
  readonly #realm: Realm;
  readonly #delivery: Delivery;
  readonly #departures: Departures;
  readonly #random: () => number;
  /** How many sessions were chosen. */
  #choices = 0;

  /** @param random a number from 0 up to, but not including, 1 */
  constructor(realm: Realm, departures: Departures, random: () => number) {
    this.#realm = realm;
    this.#delivery = realm.delivery;
    this.#departures = departures;
    this.#random = random;
  }

  open(from: Link, open: RouterFrameOf<"open">, nowMs: number): void {
    const { connection, protocol, limit } = open;
    const tokens = builtInPeerNamed(open.peer)?.opensIn?.(protocol);
    const isWithinRate = this.#delivery.meterOf(from).account.opens.take(nowMs, tokens);
    const decision = decideOpen(from, open, { ...this.#realm, nowMs, random: this.#random, isWithinRate });
    if ("code" in decision || "messages" in decision)
      this.#delivery.say(from, this.#carryOut(from, connection, decision).frame);
    else if ("shard" in decision) {
      if (!this.#realm.outbound.ask(decision.shard, { kind: "open", who: from, frame: open }))
        this.#delivery.say(from, unreachable(connection));
    } else {
      this.#delivery.say(from, routedTo(connection, decision, from));
      this.#delivery.carry(from, decision, decision.open({ connection, protocol, limit }));
    }
  }

  /** An open of a client of another shard, which has checked it. */
  openFrom(from: RemoteLink, open: RouterFrameOf<"open">, nowMs: number): Reply {
    const situation = { ...this.#realm, nowMs, random: this.#random, isWithinRate: true };
    // The opener's home may not have been told of new rules yet.
    const denial = this.#realm.access.denialOfName(from, splitLabel(open.peer).name, open.protocol);
    const decision = denial === undefined ? routeOpen(from, open, situation) : refusal(errorCodes.notAllowed, denial);
    return this.#carryOut(from, open.connection, decision);
  }

  #carryOut(from: Sender, connection: number, decision: Refusal | Route): Reply {
    if ("code" in decision) {
      const { code, reason, givenUp } = decision;
      this.#drop(givenUp);
      return { frame: { kind: "refused", connection, code, reason } };
    }
    const to = this.#pair(from, decision);
    to.memory.chosenAt = ++this.#choices;
    const { call } = decision.entries.other;
    return { frame: routedTo(connection, to, from), to, callsByLabel: call !== undefined && call !== from.name };
  }

  resume(from: Link, resume: RouterFrameOf<"resume">, nowMs: number): void {
    const { session, peer } = resume;
    const { outbound } = this.#realm;
    const isWithinRate = this.#delivery.meterOf(from).account.opens.take(nowMs);
    const shard = outbound.homeOf(splitLabel(peer).name);
    if (
      isWithinRate &&
      shard !== undefined &&
      labelProblem(peer) === undefined &&
      builtInPeerNamed(peer) === undefined
    ) {
      const canAsk = !from.pairs.isFull && outbound.ask(shard, { kind: "resume", who: from, frame: resume });
      if (!canAsk) this.#delivery.say(from, { kind: "absent", session, reason: goneReasons.lost, peer });
      return;
    }
    const last = this.#departures.lastSessions.ofLabel(peer);
    const decision = decideResume(from, resume, { ...this.#realm, nowMs, isWithinRate, last });
    if ("absence" in decision || "messages" in decision) {
      const { frame, to, mayDiffer } = this.#carryOutResume(from, resume, decision);
      this.#delivery.say(from, frame);
      if (to !== undefined && mayDiffer === true) this.#realm.access.resumed(from, to);
    } else this.#delivery.say(from, pairedWith(decision));
  }

  /** A resume of a client of another shard. */
  resumeFrom(from: RemoteLink, resume: RouterFrameOf<"resume">, nowMs: number): Reply {
    const last = this.#departures.lastSessions.ofLabel(resume.peer);
    const decision = decideResume(from, resume, { ...this.#realm, nowMs, isWithinRate: true, last });
    // The opener's home has the built-in peers too.
    if (!("absence" in decision || "messages" in decision)) return { frame: pairedWith(decision) };
    return this.#carryOutResume(from, resume, decision);
  }

  #carryOutResume(from: Sender, { session, peer }: RouterFrameOf<"resume">, decision: Absence | Route): Reply {
    if ("absence" in decision) {
      const { absence: reason, givenUp } = decision;
      this.#drop(givenUp);
      return { frame: { kind: "absent", session, reason, peer } };
    }
    // Only the first time: otherwise a client could make its peer check its protocols as often as it likes.
    const mayDiffer = !arePaired(from, decision.to);
    const to = this.#pair(from, decision);
    return { frame: pairedWith(to), to, mayDiffer };
  }

  #pair(from: Sender, { to, messages, entries }: Route): Link {
    pair(from, to, entries);
    for (const message of messages) this.#delivery.send(to, message, from);
    return to;
  }

  #drop(givenUp: GivenUp | undefined): void {
    if (givenUp === undefined) return;
    this.#delivery.giveUp(givenUp);
    this.#departures.dropGivenUp();
  }
}

/** The refusal of an open that the peer's shard can't be asked about. */
export function unreachable(connection: number): RouterFrameOf<"refused"> {
  const reason = "The part of the realm that the peer belongs to can't be reached now: wait";
  return { kind: "refused", connection, code: errorCodes.busy, reason };
}

/** Decides an open. The checks of an open are here, and in `routeOpen`, in their order. */
function decideOpen(
  from: Link,
  open: RouterFrameOf<"open">,
  situation: Situation,
): Refusal | BuiltInPeer | Elsewhere | Route {
  const { access, isWithinRate, outbound } = situation;
  const { connection, peer, protocol, flags, first } = open;
  const { busy, badOpen, notAllowed } = errorCodes;

  if (!isWithinRate) return refusal(busy, `More than ${limits.maxOpensPerSecond} opens and resumes a second: wait`);
  if (connection === 0 || connection > limits.maxConnectionId)
    return refusal(badOpen, `Connection id ${connection} is not between 1 and ${limits.maxConnectionId}`);
  const labelRule = isOwnCall(from, peer) ? undefined : labelProblem(peer);
  if (labelRule !== undefined) return refusal(badOpen, `The peer's name ${labelRule}`);
  const protocolRule = protocolProblem(protocol);
  if (protocolRule !== undefined) return refusal(badOpen, `The protocol's name ${protocolRule}`);
  if (first.length > limits.maxPayloadBytes) {
    const reason = `The open carries ${first.length} bytes, at most ${limits.maxPayloadBytes} allowed`;
    return refusal(badOpen, reason);
  }
  if (flags > (dataFlags.last | dataFlags.text)) return refusal(badOpen, `Unknown flags ${flags}`);

  const builtInPeer = builtInPeerNamed(peer);
  if (builtInPeer !== undefined) {
    const isForGuest = from.grant === undefined || builtInPeer.opensIn === undefined;
    return isForGuest ? builtInPeer : refusal(notAllowed, `A guest can't open "${peer}"`);
  }

  // Before any answer that depends on whether the peer is connected.
  const called = splitLabel(peer);
  const denial = access.denialOfName(from, called.name, protocol);
  if (denial !== undefined) return refusal(notAllowed, denial);

  const shard = outbound.homeOf(called.name);
  if (shard === undefined) return routeOpen(from, open, situation);
  return from.pairs.isFull ? refusal(busy, "This client has too many peers already") : { shard };
}

/** Decides an open by the peer's sessions: what the home of the peer's name does. */
function routeOpen(from: Sender, open: RouterFrameOf<"open">, situation: Situation): Refusal | Route {
  const { links, delivery, nowMs } = situation;
  const { peer, first } = open;
  const { busy } = errorCodes;
  const to = recipientOf(from, open, situation);
  if (!("address" in to)) return to;
  if (areBarred(delivery.meterOf(from).account, delivery.meterOf(to).account, nowMs))
    return refusal(busy, "One of the two sent the other far more than that one reads: wait some minutes");
  if (first.length > 0 && !delivery.admitsFirst(to, from, first.length))
    return refusal(busy, "The peer reads too slowly to get data with an open: wait, or open without data");
  const messages = openMessages(links, to, from, open);
  const bytes = messages.reduce((sum, message) => sum + byteLength(message), 0);
  // Before the two are paired: the opener must not be told about the end of a link that it was never told about.
  if (!delivery.unread.admits(delivery.meterOf(to), bytes + limits.firstMarkBytes))
    return { ...absent(situation, open), givenUp: { link: to, closing: closings.tooSlow, unsentBytes: bytes } };
  const entries = entriesOf(links, from, to, peer);
  if (entries === undefined || !canPair(from, to)) return refusal(busy, "Both clients have too many peers already");
  return { to, messages, entries };
}

/** The session that gets an open, or why none does. */
function recipientOf(from: Sender, open: RouterFrameOf<"open">, situation: Situation): Link | Refusal {
  const { links, access, delivery, nowMs, random } = situation;
  const { address, session, peer, protocol } = open;
  const { badOpen, notAllowed, peerReplaced, unknownProtocol } = errorCodes;
  const { name, instance } = splitLabel(peer);
  const all = access.seenAmong(
    from,
    links.named(name).filter(({ memory }) => !memory.isOver),
  );
  const wanted = all.filter((link) => instance === "" || link.instance === instance || isCalled(from, link, peer));
  // With an address, it is the session that must not get the open.
  const isExcluded = address !== routerAddress;
  const isOnly = session !== anySession && !isExcluded;
  if (isOnly && instance !== "" && wanted.some((link) => link.session !== session))
    return refusal(peerReplaced, "The session that got this open first has ended: another session has its place");
  const there = isOnly || isExcluded ? wanted.filter((link) => (link.session === session) !== isExcluded) : wanted;
  if (isExcluded && there.length === 0)
    return refusal(errorCodes.peerAbsent, `No other session of "${name}" is connected`);
  const heard = there.filter((link) => !isSilent(link, nowMs));
  const [[silent], [first]] = [there, heard];
  if (first === undefined)
    return silent === undefined
      ? absent(situation, open)
      : { ...absent(situation, open), givenUp: { link: silent, closing: closings.silent, unsentBytes: 0 } };
  const acceptors = access.acceptorsAmong(from, heard, protocol);
  if (acceptors.length === 0) return refusal(notAllowed, access.denialOf(from, first, protocol) ?? "");

  let able = acceptors;
  if (from.format.addressing === "name") {
    // The name of a Connection could not say which of the two ends sent a frame.
    if (name === from.name)
      return refusal(badOpen, "In a format that names its peers no client can open to its own name");
    // The client would not know by which label to call another one.
    able = isNameTaken(links, from, peer)
      ? able.filter((link) => isCalled(from, link, peer))
      : able.filter((link) => !arePaired(from, link));
  }
  // A session that has got the open before is the one to say what it serves.
  if (isOnly) return able[0] ?? absent(situation, open);
  const circumstances = { random, unreadBytes: (link: Link) => delivery.meterOf(link).heldBytes };
  // A link that died unnoticed is quiet. To ask the platform costs an open, so only where there is a choice.
  const awake = able.length > 1 ? able.filter((link) => !isSilent(link, nowMs, routerLimits.quietAfterMs)) : [];
  const ofAwake = chosenOf(awake, protocol, circumstances);
  const to = ofAwake ?? (awake.length < able.length ? chosenOf(able, protocol, circumstances) : undefined);
  return to ?? refusal(unknownProtocol, `No session of "${peer}" that is connected serves "${protocol}"`);
}

function absent({ name }: Realm, { session, peer }: RouterFrameOf<"open">): Refusal {
  const isForAny = session === anySession && splitLabel(peer).instance === "";
  const who = isForAny ? "Nobody of that name" : "No session of that instance or id";
  return refusal(errorCodes.peerAbsent, `${who} is connected to realm "${name}"`);
}

/**
 * Decides a resume, by checks in their order.
 *
 * @param last the session that last had the peer's instance, if none has it
 */
function decideResume(
  from: Sender,
  { session, peer }: RouterFrameOf<"resume">,
  situation: Omit<Situation, "random"> & { readonly last: Last | undefined },
): Absence | BuiltInPeer | Route {
  const { last, links, access, delivery, nowMs, isWithinRate } = situation;
  const { lost, ended, superseded, forbidden } = goneReasons;
  if (!isWithinRate || labelProblem(peer) !== undefined) return { absence: lost };

  const builtInPeer = builtInPeerNamed(peer);
  if (builtInPeer !== undefined)
    return builtInPeer.session === session && builtInPeer.resumes ? builtInPeer : { absence: ended };

  const { name, instance } = splitLabel(peer);
  const all = links.named(name).filter(({ memory }) => !memory.isOver);
  const to = all.find((link) => link.session === session);
  if (to === undefined) {
    // The session was replaced, though its successor may have left too. A made-up one must not tell who is connected.
    const successor = instance === "" ? undefined : (all.find((link) => link.instance === instance) ?? last);
    const isReplaced = successor !== undefined && successor.session !== session;
    return {
      absence: isReplaced && access.isAnythingAllowed(from, { ...successor, name }) ? superseded : lost,
    };
  }
  if (isSilent(to, nowMs)) return { absence: lost, givenUp: { link: to, closing: closings.silent, unsentBytes: 0 } };
  if (!access.isAnythingAllowed(from, to)) return { absence: forbidden };
  // The peer has had this link all the time, but the pair was removed, and the peer ended its Connections then.
  if (to.format.addressing === "name") return { absence: ended };

  const messages = routerMessages(to, [pairedWith(from)]);
  const bytes = messages.reduce((sum, message) => sum + byteLength(message), 0);
  if (!delivery.unread.admits(delivery.meterOf(to), bytes + limits.firstMarkBytes))
    return { absence: lost, givenUp: { link: to, closing: closings.tooSlow, unsentBytes: bytes } };
  if (!canPair(from, to) || areBarred(delivery.meterOf(from).account, delivery.meterOf(to).account, nowMs))
    return { absence: lost };
  return { to, messages, entries: { one: {}, other: {} } };
}

/** Whether a link has been silent for so long that it may have ended unnoticed. Default: that it most likely has. */
function isSilent(link: Link, nowMs: number, forMs: number = limits.ghostAfterMs): boolean {
  const { format, lastHeardMs, memory } = link;
  if (format.addressing === "name" && !format.hasHeartbeat) return false;
  return nowMs - Math.max(lastHeardMs, memory.heardAtMs) > forMs;
}

function refusal(code: number, reason: string): Refusal {
  return { code, reason };
}

/** The open as the peer's client reads it. */
function openMessages(links: Links, to: Link, from: Sender, open: RouterFrameOf<"open">): readonly WireMessage[] {
  const { address, session } = from;
  const peer = to.format.addressing === "name" ? futureCallOf(links, to, from) : from.label;
  return routerMessages(to, [{ ...open, address, session, peer }]);
}

/** What a resume tells each client about the other one. */
function pairedWith({ address, session, label: peer }: Endpoint & { readonly session: string }): RouterFrame {
  return { kind: "paired", address, session, peer };
}

/** What an opener is told about the session that got its open: also how it calls that one, if its format is by-name. */
function routedTo(connection: number, to: Endpoint & { readonly session: string }, from: Sender): RouterFrame {
  const { address, session, label } = to;
  const peer = from.format.addressing === "name" ? callOf(from, to) : label;
  return { kind: "routed", connection, address, session, peer };
}
