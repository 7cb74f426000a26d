import type { Mutation } from "./mutate.ts";

const secondOpen = "client/src/second-open.ts";
const openings = "client/src/session/openings.ts";
const serving = "client/src/session/serving.ts";
const opens = "src/routing/opens.ts";
const choice = "src/routing/choice.ts";
const services = "src/routing/services.ts";
const routing = "src/routing/routing.ts";

/** How the sessions of a name share its opens. */
export const sessions: readonly Mutation[] = [
  {
    rule: "of two opens of a call, the one that isn't accepted first is withdrawn",
    changes: [
      [
        secondOpen,
        'other.reset(errorCodes.openTimedOut, "", other.error("open-timed-out", "another session was faster"));',
        "void errorCodes;",
      ],
    ],
  },
  {
    rule: "the second open of a call is for another session",
    changes: [
      [
        openings,
        "const to = { address: isExcluded ? excluded : routerAddress, session, peer };",
        "void excluded; void isExcluded; const to = { address: routerAddress, session, peer };",
      ],
    ],
  },
  {
    rule: "the router gives the second open of a call to another session",
    changes: [[opens, "wanted.filter((link) => (link.session === session) !== isExcluded)", "wanted"]],
  },
  {
    rule: "an open that its session doesn't handle any more goes to another session",
    changes: [[secondOpen, 'if (error.code === "unknown-protocol") openSecond();', ""]],
  },
  {
    rule: "an open that two sessions may have goes to no session by a second open",
    changes: [[secondOpen, "const { peer, hasStrayed = false } =", "const hasStrayed = false; const { peer } ="]],
  },
  {
    rule: "an open that may have got through is not refused by what others serve",
    changes: [[openings, "(code === unknownProtocol || code === busy)", "code === busy"]],
  },
  {
    rule: "the router gives an open to no session that has said that it doesn't serve the protocol",
    changes: [[choice, "wanted.includes(service)", "wanted.length > 0"]],
  },
  {
    rule: "an open that nobody is known to serve goes to a session that has said nothing",
    changes: [[choice, 'return newestOf(by("maybe"));', "return undefined;"]],
  },
  {
    rule: "the newest session that serves a protocol alone gets its opens",
    changes: [[choice, "one.sinceMs > other.sinceMs", "one.sinceMs < other.sinceMs"]],
  },
  {
    rule: "what a session serves no more is asked of it no more",
    changes: [[services, "const taken = new Set([...add, ...remove]);", "void remove; const taken = new Set(add);"]],
  },
  {
    rule: "a client tells the router when it handles a protocol no more",
    changes: [[serving, "if (this.#served.delete(protocol)) this.#change();", "this.#served.delete(protocol);"]],
  },
  {
    rule: "an open for an instance goes to no other session",
    changes: [[opens, 'instance === "" || link.instance === instance || isCalled', 'instance !== "no" || isCalled']],
  },
  {
    rule: "where others are heard of, a session that is silent isn't asked",
    changes: [[opens, "const awake = able.length > 1 ?", "const awake = able.length > 100 ?"]],
  },
  {
    rule: "only a session of the same instance is superseded",
    changes: [
      [routing, 'link.instance !== "" && holder.instance === link.instance', "holder.instance === link.instance"],
    ],
  },
];
