import type { Mutation } from "./mutate.ts";

const channel = "client/src/connection/channel.ts";
const sender = "client/src/connection/sender.ts";
const session = "client/src/session/session.ts";
const openings = "client/src/session/openings.ts";

/** How Connections end. */
export const ends: readonly Mutation[] = [
  {
    rule: "an end ignores an answer to an open that is over",
    changes: [[openings, "connection > this.#lastConnection)", "connection > 0)"]],
  },
  {
    rule: "a second session that got an open hears that another one has answered it",
    changes: [
      [
        openings,
        "const peer = this.#start.bind(address, label, session);\n    // A session",
        "if (opening === undefined) return;\n    const peer = this.#start.bind(address, label, session);\n    // A session",
      ],
    ],
  },
  {
    rule: "a FIN is sent again like data",
    changes: [[sender, "      this.#sink.fin(offset);\n    } else", "    } else"]],
  },
  {
    rule: "a reset is sent again on each new route",
    changes: [
      [
        channel,
        "if (this.#lastWord !== undefined) this.#write(this.#lastWord);\n    else if",
        "if (this.#lastWord !== undefined) return;\n    else if",
      ],
    ],
  },
  {
    rule: "a reset is remembered until the other end has answered",
    changes: [
      [
        channel,
        "    this.receiver.discard(() => error);\n    this.#end(error);\n",
        "    this.receiver.discard(() => error);\n    this.#end(error);\n    this.forget();\n",
      ],
    ],
  },
  {
    rule: "an end answers a reset",
    changes: [[channel, 'if (kind === "reset") this.#write({ kind: "done", connection: this.#connection });', ""]],
  },
  {
    rule: "an end that is done remembers the Connection until the other end is done as well",
    changes: [
      [
        channel,
        '    this.#write({ kind: "done", connection: this.#connection });\n  }\n\n  #end(',
        '    this.#write({ kind: "done", connection: this.#connection });\n    this.#end(undefined);\n    this.forget();\n  }\n\n  #end(',
      ],
    ],
  },
  {
    rule: "an end that is done says so again on each new route",
    changes: [
      [channel, "|| route.hasSaidDone ||", "|| this.hasSaidDone ||"],
      [channel, "route.hasSaidDone = true;", "this.hasSaidDone = true;"],
    ],
  },
  {
    rule: "an end that is done says so only after everything was sent on this route",
    changes: [[sender, "return this.isDone && !this.#isReplaying;", "return this.isDone;"]],
  },
  {
    rule: "an end that isn't done fails when the other end knows nothing",
    changes: [
      [
        channel,
        'this.#end(this.isDone ? undefined : this.error("peer-gone", `"${this.peer}" no longer knows of it`));',
        "this.#end(undefined);",
      ],
    ],
  },
  {
    rule: "an end that is asked about an unknown Connection says that it is over",
    changes: [[session, 'peer.frame({ kind: "done", connection: flipOpenerBit(unknown) });', ""]],
  },
  {
    rule: "a stop is sent again on each new route",
    changes: [[channel, 'if (this.#isStopping) this.#write({ kind: "stop", connection: this.#connection });', ""]],
  },
];
