import { describe, expect, test } from "vitest";
import { FakeLink } from "../../test/support/routing-fakes.ts";
import { chosenOf } from "./choice.ts";
import type { Services } from "./services.ts";

const nothing: Services = { alone: [], shared: [] };
const alone: Services = { alone: ["work"], shared: [] };
const shared: Services = { alone: [], shared: ["w*"] };

/** Sessions, the oldest first. */
function sessions(...services: readonly (Services | undefined)[]): FakeLink[] {
  return services.map((each, at) => {
    const link = new FakeLink(at + 1, "alice", { lastHeardMs: at });
    link.services = each;
    return link;
  });
}

function addressOf(links: readonly FakeLink[], random = 0, unread: readonly number[] = []): number | undefined {
  const unreadBytes = ({ address }: { readonly address: number }): number => unread[address - 1] ?? 0;
  return chosenOf(links, "work", { random: () => random, unreadBytes })?.address;
}

describe("the session that gets an open", () => {
  test.each([
    ["the newest that serves the protocol", [alone, alone, nothing, undefined], 2],
    ["the newest alone, though older ones share", [shared, shared, alone], 3],
    ["the newest that has not said what it serves, where none serves it", [nothing, undefined, undefined, nothing], 3],
    ["none, where each serves something else", [nothing, nothing], undefined],
    ["none, where there is none", [], undefined],
  ] as const)("the session that gets an open is %s", (_, services, address) => {
    expect(addressOf(sessions(...services))).toBe(address);
  });

  test("sessions that share a protocol get opens in turn, whatever the dice say, and no other session gets any", () => {
    const links = sessions(alone, shared, nothing, shared, shared);
    const counts = new Map<number | undefined, number>();
    for (let at = 1; at <= 300; at++) {
      const address = addressOf(links, (at * 0.618) % 1);
      counts.set(address, (counts.get(address) ?? 0) + 1);
      const chosen = links.find((link) => link.address === address);
      if (chosen !== undefined) chosen.memory.chosenAt = at;
    }
    expect(new Set(counts.keys())).toEqual(new Set([2, 4, 5]));
    for (const count of counts.values()) expect(count).toBeGreaterThan(60);
  });

  test("of two that share, the one that reads gets the open", () => {
    const links = sessions(shared, shared);
    for (const random of [0, 0.9]) {
      expect(addressOf(links, random, [1_000_000, 0])).toBe(2);
      expect(addressOf(links, random, [0, 1_000_000])).toBe(1);
    }
  });
});
