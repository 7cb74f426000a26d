import type { Mutation } from "./mutate.ts";

const trunk = "src/shards/trunk.ts";
const shards = "src/shards/trunks.ts";

/** What shards tell each other. */
export const trunks: readonly Mutation[] = [
  {
    rule: "one call to a shard is under way at a time",
    changes: [
      [trunk, "if (this.#underWay !== undefined || this.#pause !== undefined) return;", "if (this.isPaused) return;"],
    ],
  },
  {
    rule: "a call with a lower number is not carried out",
    changes: [[trunk, "    if (number < this.#number) return this.#number;\n", ""]],
  },
  {
    rule: "a call with a higher number breaks the trunk before it is carried out",
    changes: [
      [trunk, "if (number > this.#number) this.#breakTo(number);", "if (number > this.#number) this.#number = number;"],
    ],
  },
  {
    rule: "a call that was carried out is not carried out again",
    changes: [
      [trunk, "      if (seq === heard.seq) return false;\n", ""],
      [trunk, "if (seq !== heard.seq + 1) {", "if (seq > heard.seq + 1) {"],
    ],
  },
  {
    rule: "a call that isn't the next breaks the trunk",
    changes: [[trunk, "if (seq !== heard.seq + 1) {", "if (seq < 0) {"]],
  },
  {
    rule: "a call that may have been carried out before a sleep breaks the trunk",
    changes: [[trunk, "isAgain && !this.#isMemoryWhole", "false"]],
  },
  {
    rule: "a call that is made again says so",
    changes: [[trunk, "const isAgain = call.failures > 0;", "const isAgain = false;"]],
  },
  {
    rule: "a late call of a former life is not carried out",
    changes: [[trunk, "    if (this.#formerLives.has(life)) return false;\n", ""]],
  },
  {
    rule: "the number is stored",
    changes: [[trunk, "    this.#runtime.keep(number);\n    this.#queue", "    this.#queue"]],
  },
  {
    rule: "a break drops what waits",
    changes: [[trunk, "    this.#queue.length = 0;\n    this.#queuedBytes = 0;\n", ""]],
  },
  {
    rule: "a break gives up the call that is under way",
    changes: [[trunk, "    this.#underWay = undefined;\n    this.#heard = undefined;", "    this.#heard = undefined;"]],
  },
  {
    rule: "the outcome of a call that was given up counts for nothing",
    changes: [[trunk, "      if (this.#underWay !== call) return;\n      if (outcome", "      if (outcome"]],
  },
  {
    rule: "after a break of its own a shard tells the number, though nobody has anything to say",
    changes: [
      [
        trunk,
        "    const lost = this.#raise(this.#number + 1);\n    this.#owesNumber = true;",
        "    const lost = this.#raise(this.#number + 1);",
      ],
    ],
  },
  {
    rule: "after a reset a shard tells the number, though nobody has anything to say",
    changes: [
      [trunk, "    this.#raise(this.#number + 1);\n    this.#owesNumber = true;", "    this.#raise(this.#number + 1);"],
    ],
  },
  {
    rule: "a reset breaks the trunk",
    changes: [
      [trunk, "    this.#raise(this.#number + 1);\n    this.#owesNumber = true;", "    this.#owesNumber = true;"],
    ],
  },
  {
    rule: "questions are lost with their trunk",
    changes: [
      [
        trunk,
        "    const asked = [...this.#asked.values()];",
        "    const asked: { question: Question; hasLeft: boolean }[] = [];",
      ],
    ],
  },
  {
    rule: "a question that has left may have arrived",
    changes: [[trunk, "if (asked !== undefined) asked.hasLeft = true;", ""]],
  },
  {
    rule: "only a call that was made once is known not to have been carried out",
    changes: [[trunk, "call.failures === 0 ? call.items : []", "call.items"]],
  },
  {
    rule: "a failed call is made again",
    changes: [[trunk, "      if (this.#underWay === call) this.#call(call);\n", ""]],
  },
  {
    rule: "what is told later leaves later",
    changes: [[trunk, "    this.#queue.push(item);\n", "    this.#queue.unshift(item);\n"]],
  },
  {
    rule: "a shard whose questions have no answer stays in memory",
    changes: [[trunk, "      this.#awaitAnswers();\n    }\n    return true;", "    }\n    return true;"]],
  },
  {
    rule: "a shard that was asked and reset is found out",
    changes: [[trunk, "      this.check();\n      this.flush();\n", "      this.flush();\n"]],
  },
  {
    rule: "an alarm finds a shard that was reset, and that nothing wakes",
    changes: [[trunk, "  check(): void {\n    this.#owesNumber = true;\n", "  check(): void {\n"]],
  },
  {
    rule: "however a call ends, what waits leaves",
    changes: [
      [
        trunk,
        "      else this.#answered(call, outcome);\n      this.flush();",
        "      else this.#answered(call, outcome);",
      ],
    ],
  },
  {
    rule: "a call says how many shards its caller knows",
    changes: [[trunk, "shards: this.#runtime.shardCount(),", "shards: 1,"]],
  },
  {
    rule: "a shard learns of more shards by a call",
    changes: [[shards, "      if (call.shards > this.#count) this.#runtime.moreShards(call.shards);\n", ""]],
  },
  {
    rule: "what waits for other shards survives a growth",
    changes: [
      [
        shards,
        "    this.#count = count;\n    this.#all",
        "    this.#trunks.clear();\n    this.#count = count;\n    this.#all",
      ],
    ],
  },
];
