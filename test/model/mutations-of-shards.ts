import type { Mutation } from "./mutate.ts";

const address = "src/shards/address.ts";
const trunks = "src/shards/trunks.ts";
const outbound = "src/routing/outbound.ts";
const inbound = "src/routing/inbound.ts";
const opens = "src/routing/opens.ts";
const routing = "src/routing/routing.ts";

/** How clients of different shards talk. */
export const shards: readonly Mutation[] = [
  {
    rule: "each shard has addresses of its own",
    changes: [[address, "const base = shard * 2 ** localBits;", "const base = (shard % 1) * 2 ** localBits;"]],
  },
  {
    rule: "an open goes to the home of the peer's name",
    changes: [[trunks, "return home === this.#own ? undefined : home;", "return undefined && home;"]],
  },
  {
    rule: "a break ends all pairs with the other shard",
    changes: [
      [outbound, "if (this.#others.shardOf(address) === shard) this.#unpair(link, address);", "void address, shard;"],
    ],
  },
  {
    rule: "a break tells clients that their peers are gone",
    changes: [[outbound, "this.#delivery.sayGone(link, { address }, reason);", "void reason;"]],
  },
  {
    rule: "the opener's home lists the pair too",
    changes: [[outbound, "!pairs.add(address, { hasLabel: callsByLabel, call })", "callsByLabel"]],
  },
  {
    rule: "an open that can't have arrived is refused",
    changes: [[inbound, "delivery.say(link, unreachable(frame.connection));", "void unreachable;"]],
  },
  {
    rule: "an open that may have arrived is not refused: its link ends",
    changes: [[inbound, '(!sent || link.format.addressing === "name")', "true"]],
  },
  {
    rule: "an open that can't be asked about now is refused",
    changes: [
      [
        opens,
        'if (!this.#realm.outbound.ask(decision.shard, { kind: "open", who: from, frame: open }))',
        'if (this.#realm.outbound.ask(decision.shard, { kind: "open", who: from, frame: open }) === undefined)',
      ],
    ],
  },
  {
    rule: "a shard that was reset breaks its trunks",
    changes: [[trunks, "if (this.#runtime.number(shard) !== undefined) this.#to(shard).reset();", "this.#to(shard);"]],
  },
  {
    rule: "a break answers the questions of its trunk",
    changes: [[routing, "this.#inbound.lost(questions.sent, true);", "void questions.sent;"]],
  },
];
