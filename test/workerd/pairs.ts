import { expect } from "vitest";
import type { SegmentLink } from "../support/readings.ts";

/** The address of each of two links, as the other one sees it. */
export interface Pair {
  readonly from: number;
  readonly to: number;
}

/** Opens from one link to the other. */
export async function pairUp(from: SegmentLink, to: SegmentLink): Promise<Pair> {
  from.open(to.name);
  const incoming = await to.nextOf("open");
  expect(incoming).toMatchObject({ peer: from.name, session: from.session });
  const routed = await from.nextOf("routed");
  expect(routed).toMatchObject({ session: to.session });
  return { from: incoming.address, to: routed.address };
}

/** Resumes from one link to the other. */
export async function pairAgain(from: SegmentLink, to: SegmentLink): Promise<Pair> {
  from.resume(to.name, to.session);
  const there = await to.nextOf("paired");
  expect(there).toMatchObject({ peer: from.name, session: from.session });
  const here = await from.nextOf("paired");
  expect(here).toMatchObject({ peer: to.name, session: to.session });
  return { from: there.address, to: here.address };
}

/** Shows that two links talk with each other, in both directions. */
export async function expectTalk(from: SegmentLink, to: SegmentLink, pair: Pair): Promise<void> {
  const there = crypto.getRandomValues(new Uint8Array(20));
  from.toPeer(pair.to, there);
  expect(await to.next()).toEqual({ kind: "segment", from: pair.from, bytes: there });
  const back = crypto.getRandomValues(new Uint8Array(20));
  to.toPeer(pair.from, back);
  expect(await from.next()).toEqual({ kind: "segment", from: pair.to, bytes: back });
}
