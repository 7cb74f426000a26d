import { errorCodes, goneReasons } from "@messagepasser/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Routing } from "../../src/routing.ts";
import { batchOf, type FakeLink, FakeLinks, type Heard, openTo, toRouter } from "./routing-fakes.ts";

const names = ["alice", "bob", "carol", "dave", "eve"] as const;

type Step =
  | { readonly do: "join" | "leave"; readonly who: number }
  | { readonly do: "open"; readonly who: number; readonly peer: number }
  | { readonly do: "send"; readonly who: number; readonly to: readonly (readonly [number, Uint8Array])[] };

const who = fc.nat(names.length - 1);
// Addresses around those that are issued: live, gone and never issued ones.
const address = fc.integer({ min: 1, max: 3 * names.length });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("join", "leave"), who }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant("open"), who, peer: who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("send"),
      who,
      to: fc.array(fc.tuple(address, fc.uint8Array({ maxLength: 8 })), { maxLength: 6 }),
    }),
  },
);

/** Who may talk to whom: nothing but a set of pairs of addresses, made by opens and ended by leaving. */
class Model {
  readonly #pairs = new Set<string>();

  pair(one: FakeLink, other: FakeLink): void {
    this.#pairs.add(keyOf(one.address, other.address));
  }

  mayTalk(one: number, other: number): boolean {
    return this.#pairs.has(keyOf(one, other));
  }

  leave({ address: gone }: FakeLink): void {
    for (const key of this.#pairs) if (key.split("-").includes(String(gone))) this.#pairs.delete(key);
  }
}

function keyOf(one: number, other: number): string {
  return one < other ? `${one}-${other}` : `${other}-${one}`;
}

/** Runs steps against the router and the model; after each, every link heard what the model says and nothing else. */
function run(steps: readonly Step[], pairCapacity: number): void {
  const links = new FakeLinks(pairCapacity);
  const routing = new Routing(links, "home");
  const model = new Model();
  for (const name of names.slice(0, 3)) links.join(name);

  for (const now of steps) {
    const name = names[now.who] ?? names[0];
    const link = links.byName(name);
    const expected = new Map<FakeLink, Heard[]>();
    const expectAt = (at: FakeLink, heard: Heard): void => void expected.set(at, [...(expected.get(at) ?? []), heard]);

    if (link === undefined) {
      if (now.do === "join") links.join(name);
    } else if (now.do === "leave") {
      for (const other of links.current()) {
        const gone = { kind: "gone", address: link.address, reason: goneReasons.lost } as const;
        if (other !== link && model.mayTalk(other.address, link.address)) expectAt(other, gone);
      }
      links.remove(link);
      routing.leave(link, goneReasons.lost);
      model.leave(link);
    } else if (now.do === "open") {
      open(link, links.byName(names[now.peer] ?? names[0]));
    } else if (now.do === "send") {
      const gone = new Set<number>();
      for (const [to, bytes] of now.to) {
        const other = links.byAddress(to);
        if (other === undefined || !model.mayTalk(link.address, to)) gone.add(to);
        else if (bytes.length > 0) expectAt(other, { from: link.address, bytes });
      }
      for (const to of gone) expectAt(link, { kind: "gone", address: to, reason: goneReasons.lost });
      routing.receive(link, batchOf(...now.to));
    }
    for (const other of links.current()) expect(other.take()).toEqual(expected.get(other) ?? []);
  }

  function open(from: FakeLink, to: FakeLink | undefined): void {
    routing.receive(from, toRouter(openTo(to?.name ?? "nobody")));
    const heard = from.take();
    const answer = heard.pop();
    const incoming = from === to ? heard : (to?.take() ?? []);
    if (from !== to) expect(heard).toEqual([]);
    if (to === undefined) {
      expect(answer).toMatchObject({ kind: "refused", code: errorCodes.peerAbsent });
    } else if (isFull(from) && isFull(to) && !model.mayTalk(from.address, to.address)) {
      // Whether there was room is the lists' affair; that only full ones refuse, and refuse without a trace, is checked.
      if (answer !== undefined && "kind" in answer && answer.kind === "refused") {
        expect(answer.code).toBe(errorCodes.busy);
        expect(incoming).toEqual([]);
      } else expectThrough(from, to);
    } else expectThrough(from, to);

    function expectThrough(opener: FakeLink, opened: FakeLink): void {
      expect(answer).toMatchObject({ kind: "routed", address: opened.address, session: opened.session });
      expect(incoming).toMatchObject([
        { kind: "incoming", address: opener.address, session: opener.session, peer: opener.name },
      ]);
      model.pair(opener, opened);
    }
  }

  function isFull(link: FakeLink): boolean {
    return links.current().filter((other) => model.mayTalk(link.address, other.address)).length >= pairCapacity;
  }
}

test("a segment arrives exactly where an open was let through before, whatever came between, and nobody else hears it", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => run(steps, Infinity)),
    { numRuns: 500 },
  );
});

test("the same holds when the lists of pairs are nearly always full", () => {
  const capacity = fc.integer({ min: 0, max: 2 });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), capacity, run), { numRuns: 1_000 });
});
