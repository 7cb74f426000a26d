import { closeCodes, errorCodes, goneReasons } from "@messagepasser/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { batchOf, openTo, toRouter } from "../../test/support/batches.ts";
import type { SegmentItem } from "../../test/support/readings.ts";
import { type FakeLink, realmOf } from "../../test/support/routing-fakes.ts";

const names = ["alice", "bob", "carol", "dave", "eve"] as const;

type Step =
  | { readonly do: "leave"; readonly who: number }
  | { readonly do: "join"; readonly who: number; readonly session: number }
  | { readonly do: "open"; readonly who: number; readonly peer: number }
  | { readonly do: "resume"; readonly who: number; readonly peer: number; readonly session: number }
  | { readonly do: "send"; readonly who: number; readonly to: readonly (readonly [number, Uint8Array])[] };

const who = fc.nat(names.length - 1);
/** Each name has a few sessions, which come and go. */
const life = fc.nat(1);
const sessionOf = (who: number, life: number): string => `${who}${life}`.repeat(16);
// Addresses around those that are issued: live, gone and never issued ones.
const address = fc.integer({ min: 1, max: 3 * names.length });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("leave"), who }),
  fc.record({ do: fc.constant("join"), who, session: life }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant("open"), who, peer: who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("resume"), who, peer: who, session: life }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("send"),
      who,
      to: fc.array(fc.tuple(address, fc.uint8Array({ maxLength: 8 })), { maxLength: 6 }),
    }),
  },
);

/** The links that may talk: nothing but a set of pairs of addresses, made by opens and resumes, ended by leaving. */
class Model {
  readonly #pairs = new Set<string>();
  /** By name: the session of a link that was lost, and the addresses of those that heard so. */
  readonly #lost = new Map<string, { readonly session: string; readonly heard: readonly number[] }>();

  pair(one: FakeLink, other: FakeLink): void {
    this.#pairs.add(keyOf(one.address, other.address));
  }

  mayTalk(one: number, other: number): boolean {
    return this.#pairs.has(keyOf(one, other));
  }

  /** A link holds the name again. @returns who is to hear that the session before is over */
  join({ name, session }: FakeLink): { readonly session: string; readonly heard: readonly number[] } | undefined {
    const lost = this.#lost.get(name);
    this.#lost.delete(name);
    return lost?.session === session ? undefined : lost;
  }

  leave({ address: gone, name, session }: FakeLink, heard: readonly number[]): void {
    this.#lost.set(name, { session, heard });
    for (const key of this.#pairs) if (key.split("-").includes(String(gone))) this.#pairs.delete(key);
  }
}

function keyOf(one: number, other: number): string {
  return one < other ? `${one}-${other}` : `${other}-${one}`;
}

/** All sessions have one, so that a name is held by one at a time. */
const instance = "desk";

/** Runs steps against the router and the model; after each, every link heard what the model says and nothing else. */
function run(steps: readonly Step[], pairCapacity: number): void {
  const { links, routing, runtime, join } = realmOf(pairCapacity);
  const model = new Model();
  for (const [at, name] of names.slice(0, 3).entries()) join(name, { session: sessionOf(at, 0), instance });

  for (const now of steps) {
    const name = names[now.who] ?? names[0];
    const link = links.named(name)[0];
    const expected = new Map<FakeLink, SegmentItem[]>();
    const expectAt = (at: FakeLink, heard: SegmentItem): void =>
      void expected.set(at, [...(expected.get(at) ?? []), heard]);
    const expectGone = (gone: FakeLink, reason: number): void => {
      const heard = links.current().filter((other) => other !== gone && model.mayTalk(other.address, gone.address));
      for (const other of heard) expectAt(other, { kind: "gone", address: gone.address, reason });
      model.leave(gone, reason === goneReasons.lost ? heard.map(({ address }) => address) : []);
    };

    if (now.do === "join") {
      const next = links.make(name, { session: sessionOf(now.who, now.session), instance, lastHeardMs: runtime.nowMs });
      const isSame = link?.session === next.session;
      if (link !== undefined) expectGone(link, isSame ? goneReasons.lost : goneReasons.superseded);
      routing.join(next);
      const lost = model.join(next);
      for (const address of lost?.heard ?? []) {
        const other = links.byAddress(address);
        const { superseded: reason } = goneReasons;
        if (other !== undefined && lost !== undefined)
          expectAt(other, { kind: "absent", session: lost.session, reason, peer: next.label });
      }
      expect(next.take()).toMatchObject([{ kind: "welcome", session: next.session }]);
      expect(link?.closed?.code).toBe(link && (isSame ? closeCodes.replaced : closeCodes.superseded));
      expect(links.named(name)[0]).toBe(next);
    } else if (link === undefined) {
      // Nobody is there to do it.
    } else if (now.do === "leave") {
      expectGone(link, goneReasons.lost);
      routing.leave(link, goneReasons.lost);
    } else if (now.do === "open") {
      ask(link, links.named(names[now.peer] ?? names[0])[0], undefined);
    } else if (now.do === "resume") {
      ask(link, links.named(names[now.peer] ?? names[0])[0], sessionOf(now.peer, now.session));
    } else if (now.do === "send") {
      const gone = new Set<number>();
      for (const [to, bytes] of now.to) {
        const other = links.byAddress(to);
        if (other === undefined || !model.mayTalk(link.address, to)) gone.add(to);
        else if (bytes.length > 0) expectAt(other, { kind: "segment", from: link.address, bytes });
      }
      for (const to of gone) expectAt(link, { kind: "gone", address: to, reason: goneReasons.lost });
      routing.receive(link, batchOf(...now.to));
    }
    for (const other of links.current()) expect(other.take()).toEqual(expected.get(other) ?? []);
  }

  /** Opens, or resumes with a session. */
  function ask(from: FakeLink, to: FakeLink | undefined, session: string | undefined): void {
    const peer = to?.label ?? "nobody";
    routing.receive(from, toRouter(session === undefined ? openTo(peer) : { kind: "resume", session, peer }));
    const heard = from.take();
    const answer = heard.pop();
    const there = from === to ? heard : (to?.take() ?? []);
    if (from !== to) expect(heard).toEqual([]);
    if (to === undefined || (session !== undefined && to.session !== session)) {
      const reason = to === undefined ? goneReasons.lost : goneReasons.superseded;
      const absent = { kind: "absent", session, reason };
      expect(answer).toMatchObject(session === undefined ? { kind: "refused", code: errorCodes.peerAbsent } : absent);
      expect(there).toEqual([]);
      return;
    }
    const isRefused = answer !== undefined && "kind" in answer && ["refused", "absent"].includes(answer.kind);
    // Whether there was room is the lists' affair; that only full ones refuse, and refuse without a trace, is checked.
    if (isRefused && isFull(from) && isFull(to) && !model.mayTalk(from.address, to.address)) {
      expect(answer).toMatchObject(session === undefined ? { code: errorCodes.busy } : { reason: goneReasons.lost });
      expect(there).toEqual([]);
      return;
    }
    const [opener, opened] = [from, to].map((link) => ({ address: link.address, session: link.session }));
    expect(answer).toMatchObject({ kind: session === undefined ? "routed" : "paired", ...opened });
    expect(there).toMatchObject([{ kind: session === undefined ? "open" : "paired", ...opener, peer: from.label }]);
    model.pair(from, to);
  }

  function isFull(link: FakeLink): boolean {
    return links.current().filter((other) => model.mayTalk(link.address, other.address)).length >= pairCapacity;
  }
}

test("a segment arrives exactly where an open or a resume was let through before, whatever came between, and reaches no other link", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => run(steps, Infinity)),
    { numRuns: 500 },
  );
});

test("segments arrive only at paired links when the lists of pairs are nearly always full", () => {
  const capacity = fc.integer({ min: 0, max: 2 });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), capacity, run), { numRuns: 1_000 });
});
