import type { RouterFrameOf } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import type { Delivery } from "./delivery.ts";
import { GatheredLists } from "./gathered-lists.ts";
import type { Link, Links } from "./link.ts";
import type { Outbound } from "./outbound.ts";

test.each([true, false])("a list that could be asked for (%s) is answered, and no other is kept", (canAsk) => {
  const link = { address: 7 } as Link;
  const said: RouterFrameOf<"peers">[] = [];
  const lists = new GatheredLists(
    { byAddress: () => link } as unknown as Links,
    { say: (_: Link, frame: RouterFrameOf<"peers">) => void said.push(frame) } as unknown as Delivery,
    { shardCount: 2, askAll: () => canAsk } as unknown as Outbound,
  );
  const page = { kind: "peers", request: 1, cursor: "", names: ["alice"] } as const;
  expect(lists.begin(link, { kind: "list", request: 1, cursor: "" }, page)).toBe(canAsk);
  lists.answered(7, { ...page, names: ["bob"] });
  expect(said).toEqual(canAsk ? [{ ...page, names: ["alice", "bob"] }] : []);
});
