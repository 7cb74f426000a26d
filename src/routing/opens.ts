import {
  anySession,
  dataFlags,
  errorCodes,
  goneReasons,
  limits,
  peerProblem,
  protocolProblem,
  type RouterFrame,
  type RouterFrameOf,
} from "@messagepasser/protocol";
import { byteLength, type WireMessage } from "@messagepasser/protocol/formats";
import type { Access } from "./access.ts";
import { type BuiltInPeer, builtInPeerNamed } from "./built-in-peers.ts";
import { closings } from "./closings.ts";
import type { Delivery, GivenUp } from "./delivery.ts";
import type { Departures } from "./departures.ts";
import { routerMessages } from "./encoding.ts";
import type { Last } from "./last-sessions.ts";
import { areBarred } from "./principals.ts";
import { servesBy } from "./token-rights.ts";
import { arePaired, canPair, type Endpoint, type Link, type Links, pair } from "./link.ts";

/** What the checks read, and don't change. */
interface Realm {
  readonly name: string;
  readonly links: Links;
  readonly access: Access;
  readonly delivery: Delivery;
}

interface Situation extends Realm {
  readonly nowMs: number;
  /** Whether the client stays within its rate of opens and resumes. */
  readonly isWithinRate: boolean;
}

/** An open that the router lets through, with the messages that tell the peer about it. */
interface Route {
  readonly to: Link;
  readonly messages: readonly WireMessage[];
}

/** Why an open goes nowhere, as a `refused` frame says it. */
interface Refusal {
  readonly code: number;
  readonly reason: string;
  /** The link that holds the peer's name, where it turned out to be of no use. */
  readonly givenUp?: GivenUp;
}

/** Why a resume fails, as an `absent` frame says it. */
interface Absence {
  readonly absence: number;
  readonly givenUp?: GivenUp;
}

/** Opens and resumes. A function that changes nothing decides each of them; the methods here carry its decision out. */
export class Opens {
  readonly #realm: Realm;
  readonly #delivery: Delivery;
  readonly #departures: Departures;

  constructor(realm: Realm, departures: Departures) {
    this.#realm = realm;
    this.#delivery = realm.delivery;
    this.#departures = departures;
  }

  open(from: Link, open: RouterFrameOf<"open">, nowMs: number): void {
    const { connection, protocol, limit } = open;
    const tokens = builtInPeerNamed(open.peer)?.opensIn?.(protocol);
    const isWithinRate = this.#delivery.meterOf(from).account.opens.take(nowMs, tokens);
    const decision = decideOpen(from, open, { ...this.#realm, nowMs, isWithinRate });
    if ("code" in decision) {
      const { code, reason, givenUp } = decision;
      this.#drop(givenUp);
      this.#delivery.say(from, { kind: "refused", connection, code, reason });
    } else if ("messages" in decision) {
      const { address, session } = this.#pair(from, decision);
      this.#delivery.say(from, { kind: "routed", connection, address, session });
    } else {
      const { address, session } = decision;
      this.#delivery.say(from, { kind: "routed", connection, address, session });
      this.#delivery.carry(from, decision, decision.open({ connection, protocol, limit }));
    }
  }

  resume(from: Link, resume: RouterFrameOf<"resume">, nowMs: number): void {
    const isWithinRate = this.#delivery.meterOf(from).account.opens.take(nowMs);
    const last = this.#departures.lastSessions.of(resume.peer);
    const decision = decideResume(from, resume, { ...this.#realm, nowMs, isWithinRate, last });
    if ("absence" in decision) {
      const { absence: reason, givenUp } = decision;
      this.#drop(givenUp);
      this.#delivery.say(from, { kind: "absent", session: resume.session, reason, peer: resume.peer });
    } else if ("messages" in decision) {
      const wasPaired = arePaired(from, decision.to);
      const to = this.#pair(from, decision);
      this.#delivery.say(from, pairedWith(to));
      // Only the first time: otherwise a client could make its peer check its protocols as often as it likes.
      if (!wasPaired) this.#realm.access.resumed(from, to);
    } else this.#delivery.say(from, pairedWith(decision));
  }

  #pair(from: Link, { to, messages }: Route): Link {
    pair(from, to);
    for (const message of messages) this.#delivery.send(to, message, from);
    return to;
  }

  #drop(givenUp: GivenUp | undefined): void {
    if (givenUp === undefined) return;
    this.#delivery.giveUp(givenUp);
    this.#departures.dropGivenUp();
  }
}

/** Decides an open. The checks of an open are here, in their order. */
function decideOpen(
  from: Link,
  open: RouterFrameOf<"open">,
  { name: realm, links, access, delivery, nowMs, isWithinRate }: Situation,
): Refusal | BuiltInPeer | Route {
  const { connection, session, peer, protocol, flags, first } = open;
  const { busy, badOpen, notAllowed, peerAbsent, peerReplaced } = errorCodes;

  if (!isWithinRate) return refusal(busy, `More than ${limits.maxOpensPerSecond} opens and resumes a second: wait`);
  if (connection === 0 || connection > limits.maxConnectionId)
    return refusal(badOpen, `Connection id ${connection} is not between 1 and ${limits.maxConnectionId}`);
  const nameRule = peerProblem(peer);
  if (nameRule !== undefined) return refusal(badOpen, `The peer's name ${nameRule}`);
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
  const denial = access.denialOf(from, { name: peer }, protocol);
  if (denial !== undefined) return refusal(notAllowed, denial);

  const absent = refusal(peerAbsent, `Nobody of that name is connected to realm "${realm}"`);
  const to = links.byName(peer);
  if (to === undefined || to.memory.isOver) return absent;
  if (isSilent(to, nowMs)) return { ...absent, givenUp: { link: to, closing: closings.silent, unsentBytes: 0 } };
  if (session !== anySession && session !== to.session)
    return refusal(peerReplaced, "The session that got this open first has ended: another session has the name");
  if (to.grant !== undefined) return refusal(notAllowed, "A guest accepts no Connections");
  if (!servesBy(to.token, protocol)) return refusal(notAllowed, "The peer's token doesn't let it serve this protocol");
  // The name of a Connection could not say which of the two ends sent a frame.
  if (to === from && from.format.addressing === "name")
    return refusal(badOpen, "In a format that names its peers no client can open to itself");

  if (areBarred(delivery.meterOf(from).account, delivery.meterOf(to).account, nowMs))
    return refusal(busy, "One of the two sent the other far more than that one reads: wait some minutes");
  if (first.length > 0 && !delivery.admitsFirst(to, from, first.length))
    return refusal(busy, "The peer reads too slowly to get data with an open: wait, or open without data");
  const messages = openMessages(to, from, open);
  const bytes = messages.reduce((sum, message) => sum + byteLength(message), 0);
  // Before the two are paired: the opener must not be told about the end of a link that it was never told about.
  if (!delivery.unread.admits(delivery.meterOf(to), bytes + limits.firstMarkBytes))
    return { ...absent, givenUp: { link: to, closing: closings.tooSlow, unsentBytes: bytes } };
  if (!canPair(from, to)) return refusal(busy, "Both clients have too many peers already");
  return { to, messages };
}

/** Decides a resume, by checks in their order. @param last the session that last held the name, if nobody does */
function decideResume(
  from: Link,
  { session, peer }: RouterFrameOf<"resume">,
  { last, links, access, delivery, nowMs, isWithinRate }: Situation & { readonly last: Last | undefined },
): Absence | BuiltInPeer | Route {
  const { lost, ended, superseded, forbidden } = goneReasons;
  if (!isWithinRate || peerProblem(peer) !== undefined) return { absence: lost };

  const builtInPeer = builtInPeerNamed(peer);
  if (builtInPeer !== undefined)
    return builtInPeer.session === session && builtInPeer.resumes ? builtInPeer : { absence: ended };

  const to = links.byName(peer);
  if (to === undefined || to.memory.isOver) {
    // The session was replaced, though its successor has left too.
    const isReplaced = last !== undefined && last.session !== session;
    return {
      absence: isReplaced && access.isAnythingAllowed(from, { name: peer, ...last }) ? superseded : lost,
    };
  }
  if (isSilent(to, nowMs)) return { absence: lost, givenUp: { link: to, closing: closings.silent, unsentBytes: 0 } };
  const isAllowed = access.isAnythingAllowed(from, to);
  // A made-up session must not tell whether a client to which nothing may be opened is connected.
  if (to.session !== session) return { absence: isAllowed ? superseded : lost };
  if (!isAllowed) return { absence: forbidden };
  // The peer has had this link all the time, but the pair was removed, and the peer ended its Connections then.
  if (to.format.addressing === "name") return { absence: ended };

  const messages = routerMessages(to, [pairedWith(from)]);
  const bytes = messages.reduce((sum, message) => sum + byteLength(message), 0);
  if (!delivery.unread.admits(delivery.meterOf(to), bytes + limits.firstMarkBytes))
    return { absence: lost, givenUp: { link: to, closing: closings.tooSlow, unsentBytes: bytes } };
  if (!canPair(from, to) || areBarred(delivery.meterOf(from).account, delivery.meterOf(to).account, nowMs))
    return { absence: lost };
  return { to, messages };
}

/** Whether a link has been silent for so long that it has most likely ended unnoticed. */
function isSilent({ format, lastHeardMs, memory }: Link, nowMs: number): boolean {
  if (format.addressing === "name" && !format.hasHeartbeat) return false;
  return nowMs - Math.max(lastHeardMs, memory.heardAtMs) > limits.ghostAfterMs;
}

function refusal(code: number, reason: string): Refusal {
  return { code, reason };
}

/** The open as the peer's client reads it. */
function openMessages(to: Link, from: Link, open: RouterFrameOf<"open">): readonly WireMessage[] {
  const { address, session, name: peer } = from;
  return routerMessages(to, [{ ...open, address, session, peer }]);
}

/** What a resume tells each client about the other one. */
function pairedWith({ address, session, name }: Endpoint & { readonly session: string }): RouterFrame {
  return { kind: "paired", address, session, peer: name };
}
