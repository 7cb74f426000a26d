import type { Mutation } from "./mutate.ts";

const channel = "client/src/connection/channel.ts";
const sender = "client/src/connection/sender.ts";
const session = "client/src/session/session.ts";
const openings = "client/src/session/openings.ts";

/** How Connections end. */
export const ends: readonly Mutation[] = [
  {
    rule: "an answer to an open that is over is ignored",
    changes: [[openings, "if (connection > this.#lastConnection)", "if (connection > 0)"]],
  },
  {
    rule: "a FIN is sent again as the rest is",
    changes: [[sender, "      this.#sink.fin(offset);\n    } else", "    } else"]],
  },
  {
    rule: "a reset or a reject is said again on each new route",
    changes: [
      [
        channel,
        "if (this.#parting !== undefined) this.#write(this.#parting);\n    else if",
        "if (this.#parting !== undefined) return;\n    else if",
      ],
    ],
  },
  {
    rule: "a reset or a reject is remembered until the other end has answered",
    changes: [
      [
        channel,
        "    this.#parting = frame;\n    this.#write(frame);\n",
        "    this.#write(frame);\n    this.forget();\n",
      ],
    ],
  },
  {
    rule: "who hears a reset or a reject answers",
    changes: [[channel, 'if (kind !== "over") this.#write({ kind: "over", connection: this.#connection });', ""]],
  },
  {
    rule: "who is done remembers the Connection until the other end is done as well",
    changes: [
      [
        channel,
        '    this.#write({ kind: "over", connection: this.#connection });\n  }\n\n  /** The last word',
        '    this.#write({ kind: "over", connection: this.#connection });\n    this.#end(undefined);\n    this.forget();\n  }\n\n  /** The last word',
      ],
    ],
  },
  {
    rule: "who is done says so again on each new route",
    changes: [
      [channel, "|| route.hasSaidOver ||", "|| this.hasSaidOver ||"],
      [channel, "route.hasSaidOver = true;", "this.hasSaidOver = true;"],
    ],
  },
  {
    rule: "who is done says so only after all was sent on this route",
    changes: [[sender, "return this.isDone && !this.#isReplaying;", "return this.isDone;"]],
  },
  {
    rule: "who isn't done and hears that the other end knows nothing fails",
    changes: [
      [
        channel,
        'this.#end(this.isDone ? undefined : this.error("peer-gone", `"${this.peer}" no longer knows of it`));',
        "this.#end(undefined);",
      ],
    ],
  },
  {
    rule: "who is asked about an unknown Connection says that it is over",
    changes: [[session, 'peer.frame({ kind: "over", connection: flipOpenerBit(unknown) });', ""]],
  },
  {
    rule: "a stop is said again on each new route",
    changes: [[channel, 'if (this.#isStopping) this.#write({ kind: "stop", connection: this.#connection });', ""]],
  },
];
