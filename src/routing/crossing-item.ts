import { type RouterFrame, type RouterFrameOf } from "@messagepasser/protocol";
import type { Format } from "@messagepasser/protocol/formats";
import type { Grant, TokenGrant } from "./link.ts";

/** A link as another shard has to know it. */
export interface Stranger {
  readonly address: number;
  readonly session: string;
  readonly name: string;
  readonly instance: string;
  readonly format: Format;
  readonly grant?: Grant | undefined;
  readonly token?: TokenGrant | undefined;
}

/** A link that is paired from now on. */
export interface PairedStranger {
  readonly link: Stranger;
  /** Whether its client, of a by-name format, calls the other one by a label. */
  readonly callsByLabel: boolean;
}

/** A session of another shard, as watchers are told of it. */
export interface StrangerThere {
  readonly who: Stranger;
  readonly sinceMs: number;
  readonly services: readonly string[];
}

export const presenceChanges = ["joined", "changed", "left"] as const;

/** What one shard of a realm tells another. */
export type CrossingItem =
  /** A segment as its client wrote it, header included. That of a client of a by-name format is in the native one. */
  | { readonly kind: "segment"; readonly who: Stranger; readonly bytes: Uint8Array }
  /** The opener's home has checked rate, ids, names, grant and rules. */
  | { readonly kind: "open"; readonly who: Stranger; readonly frame: RouterFrameOf<"open"> }
  | { readonly kind: "resume"; readonly who: Stranger; readonly frame: RouterFrameOf<"resume"> }
  | { readonly kind: "list"; readonly who: Stranger; readonly frame: RouterFrameOf<"list"> }
  /** Clients of the caller watch names that fit these patterns, and no others: they want to be told what changes. */
  | { readonly kind: "subscribe"; readonly patterns: readonly string[] }
  /** A watching client asks which sessions are connected: those after an address, in the order of addresses. */
  | {
      readonly kind: "roster";
      readonly who: Stranger;
      readonly frame: {
        readonly request: number;
        readonly pattern: string;
        readonly after: number;
        readonly limit: number;
      };
    }
  /** The answer: some of them, and after which address the rest comes; 0 if that is all. */
  | {
      readonly kind: "sessions";
      readonly to: number;
      readonly request: number;
      readonly next: number;
      readonly sessions: readonly StrangerThere[];
    }
  /** A session of the caller has come, serves something else, or has left. */
  | { readonly kind: "presence"; readonly change: (typeof presenceChanges)[number]; readonly session: StrangerThere }
  /** A frame for a link of the other shard. With `who`, the two are paired: the shard that says so lists the pair. */
  | { readonly kind: "say"; readonly to: number; readonly frame: RouterFrame; readonly who: PairedStranger | undefined }
  /** A link, or only its pairs with these links, is gone. */
  | { readonly kind: "gone"; readonly address: number; readonly reason: number; readonly to: readonly number[] }
  /** A link of the other shard has sent a segment that breaks a rule. */
  | { readonly kind: "fault"; readonly to: number; readonly problem: string };

/** An item to which the other shard has an answer. */
export type Question = Extract<CrossingItem, { kind: "open" | "resume" | "list" | "roster" }>;

export function isQuestion(item: CrossingItem): item is Question {
  return item.kind === "open" || item.kind === "resume" || item.kind === "list" || item.kind === "roster";
}

/** What a question and its answer have in common. */
export function keyOfQuestion({ kind, who: { address }, frame }: Question): string {
  switch (kind) {
    case "open":
      return `${address} open ${frame.connection}`;
    case "resume":
      return `${address} resume ${frame.session} ${frame.peer}`;
    default:
      return `${address} ${kind} ${frame.request}`;
  }
}

/** The question that an item answers, or `undefined` if it answers none. */
export function keyOfAnswer(item: CrossingItem): string | undefined {
  if (item.kind === "sessions") return `${item.to} roster ${item.request}`;
  if (item.kind !== "say") return undefined;
  const { to, frame } = item;
  switch (frame.kind) {
    case "routed":
    case "refused":
      return `${to} open ${frame.connection}`;
    case "peers":
      return `${to} list ${frame.request}`;
    case "paired":
    case "absent":
      return `${to} resume ${frame.session} ${frame.peer}`;
    default:
      return undefined;
  }
}
