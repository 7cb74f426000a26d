import {
  type ControlFrame,
  type DataFrame,
  errorCodes,
  limits,
  flipOpenerBit,
  type PeerFrame,
  routerLimits,
} from "@messagepasser/protocol";
import { errorCodeNamed, uncountedOffset } from "@messagepasser/protocol/formats";
import type { Endpoint } from "./link.ts";

type Frame = (ControlFrame & PeerFrame) | DataFrame;

/** What a built-in peer learns from an open. */
export interface Opened {
  readonly connection: number;
  readonly protocol: string;
  readonly limit: number;
}

/**
 * A peer inside the router, against which the author of a client can test it. It has no memory: each answer follows from
 * the frames that it answers.
 */
export interface BuiltInPeer extends Endpoint {
  readonly session: string;
  /** Whether a Connection with this peer can go on over another link. */
  readonly resumes: boolean;
  /** What an open of this protocol counts as, where it is more than one open: such a peer is not for guests. */
  readonly opensIn?: (protocol: string) => number;
  /** The answer to an open. */
  open(open: Opened): Frame[];
  /** The answers to the frames of one segment. */
  answer(frames: readonly PeerFrame[]): Frame[];
}

const encoder = new TextEncoder();

/** Sends each frame back. Its position is always its client's own, so it needs no memory for a resume either. */
const echo = {
  resumes: true,
  open: ({ connection, limit }: Opened): Frame[] => [{ kind: "credit", connection, received: 0, limit }],
  answer: (frames: readonly PeerFrame[]): Frame[] =>
    frames.map((frame) => (frame.kind === "reset" ? done(frame) : mirrored(frame))),
};

/** Accepts all data, and finishes when its client does. */
function sink(windowBytes: number): Pick<BuiltInPeer, "resumes" | "open" | "answer"> {
  return {
    resumes: false,
    open: ({ connection }) => [{ kind: "credit", connection, received: 0, limit: windowBytes }],
    answer: (frames) =>
      taken(frames, windowBytes, (frame) => [{ kind: "fin", connection: flipped(frame), offset: 0 }, done(frame)]),
  };
}

/** The count and the size in a name such as "100x64". */
function messagesIn(protocol: string): readonly [count: number | undefined, size: number | undefined] {
  const [count, size] = (/^(\d{1,6})x(\d{1,7})$/.exec(protocol)?.slice(1) ?? []).map(Number);
  return [count, size];
}

/** What `$source` sends, of any size. */
const pattern = Uint8Array.from({ length: limits.maxPayloadBytes }, (_, at) => at % 251);

/** Sends the messages that the protocol's name asks for: "100x64" asks for 100 messages of 64 bytes. */
const source = {
  resumes: false,
  opensIn(protocol: string): number {
    const [count = 0] = messagesIn(protocol);
    return Math.max(1, Math.min(count, routerLimits.maxSourceMessages));
  },
  open({ connection, protocol, limit }: Opened): Frame[] {
    const [count, size] = messagesIn(protocol);
    if (count === undefined || size === undefined)
      return [rejected(connection, errorCodes.unknownProtocol, 'Ask for a count and a size, as in "100x64"')];
    const frameBytes = size + limits.frameCostBytes;
    const totalBytes = count * frameBytes;
    const isTooMuch =
      count > routerLimits.maxSourceMessages ||
      size > limits.maxPayloadBytes ||
      totalBytes > routerLimits.maxSourceBytes;
    if (isTooMuch || totalBytes + limits.frameCostBytes > limit)
      return [
        rejected(connection, errorCodes.rejected, "More than $source sends, or than the limit of the open allows"),
      ];
    const payload = pattern.subarray(0, size);
    return [
      { kind: "credit", connection, received: 0, limit: limits.firstWindowBytes },
      ...Array.from({ length: count }, (_, at) => dataOf(connection, at * frameBytes, payload, false)),
      { kind: "fin", connection, offset: totalBytes },
    ];
  },
  answer: (frames: readonly PeerFrame[]): Frame[] => taken(frames, limits.firstWindowBytes, (frame) => [done(frame)]),
};

/** Sends one message and a FIN, and continues to read. */
const halfClose = {
  resumes: false,
  open({ connection, limit }: Opened): Frame[] {
    const payload = encoder.encode("no more from here");
    const end = payload.length + limits.frameCostBytes;
    if (end + limits.frameCostBytes > limit)
      return [rejected(connection, errorCodes.rejected, "The limit of the open leaves no room for a message")];
    return [
      { kind: "credit", connection, received: 0, limit: limits.firstWindowBytes },
      dataOf(connection, 0, payload, true),
      { kind: "fin", connection, offset: end },
    ];
  },
  answer: source.answer,
};

/** Rejects each open with the code that the protocol's name gives, by name or number. */
const reject = {
  resumes: false,
  open: ({ connection, protocol }: Opened): Frame[] => [
    rejected(connection, codeIn(protocol) ?? errorCodes.rejected, "As asked"),
  ],
  answer: (frames: readonly PeerFrame[]): Frame[] => unknown(frames),
};

/** Accepts each open, and resets the Connection at the first message. */
const reset = {
  resumes: false,
  open: ({ connection }: Opened): Frame[] => [
    { kind: "credit", connection, received: 0, limit: limits.firstWindowBytes },
  ],
  answer: (frames: readonly PeerFrame[]): Frame[] =>
    frames.flatMap((frame): Frame[] => {
      if (frame.kind === "done") return [];
      if (frame.kind !== "data") return frame.kind === "reset" || frame.kind === "fin" ? [done(frame)] : [];
      return [{ kind: "reset", connection: flipped(frame), code: errorCodes.aborted, reason: "As asked" }];
    }),
};

/** The built-in peers by name. Their addresses are the highest, which no link ever gets. */
const builtInPeers: ReadonlyMap<string, BuiltInPeer> = new Map(
  Object.entries({
    $echo: echo,
    $sink: sink(limits.firstWindowBytes),
    $source: source,
    $slow: sink(routerLimits.slowWindowBytes),
    $reject: reject,
    "$half-close": halfClose,
    $reset: reset,
  }).map(([name, peer], at) => {
    const address = 0xffff_ff00 + at;
    return [name, { ...peer, name, label: name, address, session: address.toString(16).padStart(32, "0") }];
  }),
);
const byAddress = new Map(Array.from(builtInPeers.values(), (peer) => [peer.address, peer]));

/** The built-in peer of this name, or `undefined`. */
export function builtInPeerNamed(name: string): BuiltInPeer | undefined {
  return builtInPeers.get(name);
}

/** The built-in peer at this address, or `undefined`. */
export function builtInPeerAt(address: number): BuiltInPeer | undefined {
  return byAddress.get(address);
}

/** The answers of a peer that accepts all data and grants credit for it. @param finished the answers to a FIN */
function taken(frames: readonly PeerFrame[], windowBytes: number, finished: (fin: PeerFrame) => Frame[]): Frame[] {
  const ends = new Map<number, number>();
  const answers = frames.flatMap((frame): Frame[] => {
    switch (frame.kind) {
      case "data": {
        const start = frame.offset ?? ends.get(flipped(frame));
        // A sender that doesn't count offsets needs no credit.
        if (start === undefined) return [];
        const costBytes = frame.payload.length + limits.frameCostBytes;
        ends.set(flipped(frame), start + costBytes);
        // The only violation of credit that can be seen without memory.
        return costBytes > windowBytes ? [violated(frame, windowBytes)] : [];
      }
      case "fin":
        if (frame.offset !== uncountedOffset) ends.set(flipped(frame), frame.offset + limits.frameCostBytes);
        return finished(frame);
      case "yield":
        return [
          {
            kind: "credit",
            connection: flipped(frame),
            received: 0,
            limit: Math.min(frame.granted + 1, limits.maxOffset),
          },
        ];
      case "reset":
        return [done(frame)];
      default:
        return [];
    }
  });
  const credits = Array.from(ends, ([connection, received]): Frame => {
    return { kind: "credit", connection, received, limit: Math.min(received + windowBytes, limits.maxOffset) };
  });
  return [...credits, ...answers];
}

/** The answers of a peer that doesn't know the Connections. */
function unknown(frames: readonly PeerFrame[]): Frame[] {
  return frames.flatMap((frame) => (frame.kind === "done" ? [] : [done(frame)]));
}

/** The id that the other end uses for the Connection. */
function flipped({ connection }: PeerFrame): number {
  return flipOpenerBit(connection);
}

function mirrored(frame: PeerFrame): Frame {
  return { ...frame, connection: flipped(frame) };
}

function done(frame: PeerFrame): Frame {
  return { kind: "done", connection: flipped(frame) };
}

function violated(frame: PeerFrame, windowBytes: number): Frame {
  const reason = `A frame that is larger than the window of ${windowBytes} bytes`;
  return { kind: "reset", connection: flipped(frame), code: errorCodes.violation, reason };
}

function rejected(connection: number, code: number, reason: string): Frame {
  return { kind: "reset", connection, code, reason };
}

function dataOf(connection: number, offset: number, payload: Uint8Array, text: boolean): DataFrame {
  return { kind: "data", connection, last: true, text, offset, payload };
}

function codeIn(protocol: string): number | undefined {
  const number = /^[1-9]\d{0,4}$/.test(protocol) ? Number(protocol) : errorCodeNamed(protocol);
  return number === undefined || number > 0xffff ? undefined : number;
}
