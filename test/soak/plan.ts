// The plan of one stream. The seed and the stream's id decide all of it, so each end knows what to expect.
import { hashOf, Random } from "./random.ts";

export type Role = "opener" | "acceptor";

export const protocol = "soak";

/** One Connection between two clients: its logical stream, however often it has to be opened. */
export interface StreamPlan {
  readonly id: string;
  readonly opener: string;
  readonly acceptor: string;
  /** A text that travels in the metadata, to be compared at the other end. */
  readonly note: string;
  /** Whether the opener's first message travels with the open. */
  readonly hasFirst: boolean;
  readonly ends: Readonly<Record<Role, EndPlan>>;
}

/** The plan of one end. */
export interface EndPlan {
  readonly sends: DirectionPlan;
  /** Sends only after it has read all: it answers. */
  readonly isAnswering: boolean;
  /** How long it takes for each message that it reads. */
  readonly readPauseMs: number;
  readonly finish: Finish;
}

/**
 * How an end leaves, once it has sent all: it half-closes; closes after it has read to the end; closes at once, whatever
 * still comes; or aborts.
 */
export type Finish = "end" | "close" | "cut" | "abort";

/** The messages in one direction. */
export interface DirectionPlan {
  /** Stands in each of its messages, so that a message of another stream is known for one. */
  readonly label: number;
  readonly count: number;
  readonly sizes: Sizes;
  readonly pauseMs: number;
  /** One long pause in the middle. */
  readonly lullMs: number;
  /** How many sends may be under way at once: 1 waits for each. */
  readonly sendsAtOnce: number;
}

export type Sizes = "tiny" | "mixed" | "large";

export interface MessageSpec {
  readonly kind: "text" | "bytes";
  /** Of bytes, or of UTF-16 units. */
  readonly length: number;
}

export const maxMessageBytes = 1_048_576;
/** A UTF-16 unit may take 3 bytes, though most here take one. */
const maxTextLength = 800_000;

export function planOf(seed: number, id: string, names: readonly string[]): StreamPlan {
  const random = new Random(seed, id);
  const opener = openerOf(id);
  const acceptor = random.pick(names.filter((name) => name !== opener));
  const shape = random.weighted({ talk: 50, hangUp: 20, request: 15, cutShort: 8, abort: 7 });
  const active: Role = random.chance(0.5) ? "opener" : "acceptor";
  const finishOf = (role: Role): Finish => {
    if (shape === "request") return role === "opener" ? "end" : "close";
    if (shape === "talk" || role !== active) return "end";
    return ({ hangUp: "close", cutShort: "cut", abort: "abort" } as const)[shape];
  };
  const endOf = (role: Role): EndPlan => ({
    sends: directionOf(seed, id, role),
    isAnswering: shape === "request" && role === "acceptor",
    readPauseMs: random.chance(0.15) ? random.logarithmic(5, 100) : 0,
    finish: finishOf(role),
  });
  const ends = { opener: endOf("opener"), acceptor: endOf("acceptor") };
  return {
    id,
    opener,
    acceptor,
    note: "note 亀 ".repeat(random.integer(0, 40)) + String(random.integer(0, 1e9)),
    hasFirst: ends.opener.sends.count > 0 && random.chance(0.3),
    ends,
  };
}

/** Stream ids are made by those who open: "soak-3/17". */
export function openerOf(id: string): string {
  return id.slice(0, id.lastIndexOf("/"));
}

export function otherRole(role: Role): Role {
  return role === "opener" ? "acceptor" : "opener";
}

/** Whether an end gets all that the other one sends: not where it closes early, or where one of them aborts. */
export function isWhole({ ends }: StreamPlan, reader: Role): boolean {
  return ends[reader].finish !== "cut" && !hasAbort({ ends });
}

export function hasAbort({ ends }: Pick<StreamPlan, "ends">): boolean {
  return ends.opener.finish === "abort" || ends.acceptor.finish === "abort";
}

/** Text and bytes alternate; how long each message is hangs on its number alone. */
export function specOf({ label, sizes }: DirectionPlan, seq: number): MessageSpec {
  const kind = (seq + label) % 2 === 0 ? "text" : "bytes";
  const random = new Random(label, seq);
  return { kind, length: Math.min(lengthOf(sizes, random), kind === "text" ? maxTextLength : maxMessageBytes) };
}

function lengthOf(sizes: Sizes, random: Random): number {
  switch (sizes) {
    case "tiny":
      return random.integer(0, 64);
    case "large":
      // Every tenth has the largest size exactly.
      return random.chance(0.1) ? maxMessageBytes : random.logarithmic(32_768, maxMessageBytes);
    case "mixed": {
      const range = random.weighted({ empty: 2, tiny: 8, small: 60, page: 20, frame: 8, large: 1.8, largest: 0.2 });
      const [least, most] = ranges[range];
      return most === 0 ? 0 : random.logarithmic(least, most);
    }
  }
}

/** 65,536 bytes are what one frame of the protocol takes. */
const ranges = {
  empty: [0, 0],
  tiny: [1, 15],
  small: [16, 250],
  page: [251, 4_096],
  frame: [4_097, 70_000],
  large: [65_530, 262_144],
  largest: [262_144, maxMessageBytes],
} as const;

function directionOf(seed: number, id: string, sender: Role): DirectionPlan {
  const label = hashOf([seed, id, sender].join("\0"));
  const random = new Random(label, "direction");
  const sendsAtOnce = random.chance(0.3) ? 8 : 1;
  const shared = { label, sendsAtOnce, lullMs: 0, pauseMs: 0 };
  switch (random.weighted({ chat: 50, burst: 25, few: 18, bulk: 7 })) {
    case "chat": {
      const lullMs = random.chance(0.1) ? random.integer(2_000, 15_000) : 0;
      const pauseMs = random.logarithmic(10, 250);
      return { ...shared, count: random.integer(20, 150), sizes: "mixed", pauseMs, lullMs };
    }
    case "burst":
      return { ...shared, count: random.integer(50, 600), sizes: random.chance(0.3) ? "tiny" : "mixed" };
    case "few":
      return { ...shared, count: random.integer(0, 3), sizes: random.chance(0.5) ? "tiny" : "mixed" };
    case "bulk":
      return { ...shared, count: random.integer(3, 12), sizes: "large" };
  }
}
