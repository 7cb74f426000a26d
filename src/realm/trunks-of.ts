import type { Routing } from "../routing/routing.ts";
import { Trunks } from "../shards/trunks.ts";
import type { Place } from "./place.ts";
import { after, randomU32 } from "./platform.ts";
import type { ShardCaller } from "./shard-caller.ts";

/** What the trunks of an object's shard need of it. */
interface TrunksStart {
  readonly place: Place;
  readonly caller: ShardCaller;
  /** There is one by the time that anything crosses. */
  routing(): Routing;
  /** As `TrunksRuntime` has it. */
  paired(): void;
}

/** The trunks of an object's shard. */
export function trunksOf({ place, caller, routing, paired }: TrunksStart): Trunks {
  const { shard, layout } = place;
  return new Trunks(shard, layout.count, {
    randomU32,
    after,
    call: (to, bytes, ended) => {
      caller.call(to, bytes, (outcome) => {
        routing().beginCall();
        ended(outcome);
        routing().endCall();
      });
    },
    number: (to) => layout.trunk(to),
    keep: (to, number) => {
      layout.keepTrunk(to, number);
    },
    moreShards: (count) => {
      place.learn(count);
    },
    paired,
    subscribed: (to) => layout.subscribed(to),
    noteSubscribed: (to, patterns) => {
      layout.keepSubscribed(to, patterns);
    },
    take: (item, of) => {
      routing().take(item, of);
    },
    broken: (to, questions) => {
      routing().broken(to, questions);
    },
  });
}
