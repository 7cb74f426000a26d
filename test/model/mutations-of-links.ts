import type { Mutation } from "./mutate.ts";

const channel = "client/src/connection/channel.ts";
const sender = "client/src/connection/sender.ts";
const arrivals = "client/src/session/arrivals.ts";
const session = "client/src/session/session.ts";
const openings = "client/src/session/openings.ts";
const peer = "client/src/session/peer.ts";
const peers = "client/src/session/peers.ts";
const link = "client/src/link/link.ts";
const departures = "src/routing/departures.ts";
const opens = "src/routing/opens.ts";
const batch = "protocol/src/batch.ts";
const routing = "src/routing/routing.ts";

/** How Connections go on from link to link. */
export const links: readonly Mutation[] = [
  {
    rule: "a link that is over takes nothing more, though its socket does",
    changes: [
      [
        link,
        "    if (this.#isOver) return;\n    if (message === heartbeat.pong) return;",
        "    if (message === heartbeat.pong) return;",
      ],
      [link, "while (!this.#isOver && segments.next()) {", "while (segments.next()) {"],
      [link, "while (!this.#isOver && (frame = frames.next())", "while ((frame = frames.next())"],
    ],
  },
  {
    rule: "an end forgets all addresses when its own link is lost",
    changes: [[session, "    this.#peers.loseAll();\n", ""]],
  },
  {
    rule: "an open without an answer is sent again on the next link",
    changes: [[session, "    this.#openings.sendAgain();\n", ""]],
  },
  {
    rule: "an open whose peer is known is sent again when the peer is there",
    changes: [[channel, '    else if (this.#state === "opening") this.start.reopen();\n', ""]],
  },
  {
    rule: "an open that is sent again names the session that got it",
    changes: [
      [
        openings,
        "const { label = channel.peer, session = anySession } = home.peer ?? {};",
        "const { label = channel.peer } = home.peer ?? {}; const session = anySession;",
      ],
    ],
  },
  {
    rule: "an open is handled once",
    changes: [
      [arrivals, "if (peer.channels.has(key)) return;", "if (peer.channels.has(key) && connection === 0) return;"],
    ],
  },
  {
    rule: "an opener that sent its open more than once says where it stands",
    changes: [[channel, "if (this.opens > 1) this.#writeCredit();", ""]],
  },
  {
    rule: "an open that is known already changes nothing",
    changes: [
      [
        arrivals,
        "if (peer.channels.has(key)) return;",
        'if (peer.channels.has(key)) return peer.frame({ kind: "reset", connection, code: 101, reason: "" });',
      ],
    ],
  },
  {
    rule: "an open of a session that had ended is not handled again",
    changes: [[arrivals, "if (connection <= peer.endedOpen) {", "if (connection <= 0) {"]],
  },
  {
    rule: "a session that was superseded is remembered",
    changes: [[peers, "if (isFinal) this.#forget(peer);", "this.#forget(peer);"]],
  },
  {
    rule: "nothing is sent on a new route before the other end's position",
    changes: [
      [
        channel,
        'else if (this.#state === "open") this.#writeCredit();',
        'else if (this.#state === "open") { this.#writeCredit(); this.#route.isInStep = true; }',
      ],
    ],
  },
  {
    rule: "each new route begins with a position",
    changes: [[channel, '    else if (this.#state === "open") this.#writeCredit();\n', ""]],
  },
  {
    rule: "data that the other end lacks is sent again",
    changes: [[sender, "this.#isReplaying = received < this.#log.end;", "this.#isReplaying = false;"]],
  },
  {
    rule: "data that the other end has isn't sent again",
    changes: [
      [
        sender,
        "    this.#acknowledge(received);\n    this.#yielded = undefined;\n",
        "    this.#yielded = undefined;\n",
      ],
    ],
  },
  {
    rule: "new data doesn't overtake data that is sent again",
    changes: [
      [
        sender,
        "const bytes = this.#isReplaying ? this.#replayNext(pieceBytes) : this.#sendNext(pieceBytes);",
        "const bytes = this.#sendNext(pieceBytes) || (this.#isReplaying ? this.#replayNext(pieceBytes) : 0);",
      ],
    ],
  },
  {
    rule: "the first data of a Connection in a segment carries its offset",
    changes: [[batch, "      this.#dataConnection = -1;\n", ""]],
  },
  {
    rule: "a peer's answer to an open tells which session got it, where the router's was lost",
    changes: [
      [
        session,
        "peer.channels.get(frame.connection) ?? this.#openings.adopt(peer, frame.connection);",
        "peer.channels.get(frame.connection);",
      ],
    ],
  },
  {
    rule: "an open that is refused since nobody is there, after it may have got through, waits",
    changes: [[openings, "if (!isAbsence || isFinal) {", "if (isAbsence || isFinal) {"]],
  },
  {
    rule: "a client asks for a lost peer until it is there",
    changes: [[peer, "        askLater(attempt + 1);\n", ""]],
  },
  {
    rule: "a client asks for a lost peer",
    changes: [[peers, "    if (peer.channels.size > 0) peer.search(this.#search, kind);\n", ""]],
  },
  {
    rule: "a peer that lost its link may come back",
    changes: [[session, "if (what === undefined) {", "if (reason === 99) {"]],
  },
  {
    rule: "a client no longer asks for a peer whose session is over",
    changes: [[session, "if (what === undefined) {", "if (reason < 99) {"]],
  },
  {
    rule: "the same address on the same link is no new route",
    changes: [[session, "    if (known?.label === label && known.session === session) return known;\n", ""]],
  },
  {
    rule: "a position says what the receiver has, whatever the link",
    changes: [
      [
        channel,
        'else if (this.#state === "open") this.#writeCredit();',
        'else if (this.#state === "open") this.#write({ ...this.receiver.position(), kind: "credit", connection: this.#connection, received: 0 });',
      ],
    ],
  },
  {
    rule: "the router drops messages on a link that it has closed",
    changes: [
      [
        routing,
        "    // A message that was under way when the router closed the link.\n    if (memory.isOver) return true;\n",
        "",
      ],
    ],
  },
  {
    rule: "the router tells the peers of a link that it is gone",
    changes: [
      [
        departures,
        "      this.#delivery.sayGone(other, link, reason);\n      other.pairs.remove(link.address);\n",
        "      other.pairs.remove(link.address);\n",
      ],
    ],
  },
  {
    rule: "the router gives a session to its newest link",
    changes: [[routing, "this.#departures.drop(holder, goneReasons.lost, closings.replaced);", "return;"]],
  },
  {
    rule: "another session supersedes the one before of its instance, which doesn't fight for it",
    changes: [
      [
        routing,
        "this.#departures.drop(holder, goneReasons.superseded, closings.superseded);",
        "this.#departures.drop(holder, goneReasons.lost, closings.replaced);",
      ],
    ],
  },
  {
    rule: "the router lets no client resume with another session",
    changes: [[opens, "const to = all.find((link) => link.session === session);", "const to = all[0];"]],
  },
];
