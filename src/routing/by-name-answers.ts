import { flipOpenerBit, limits, type PeerFrame, routerLimits } from "@messagepasser/protocol";
import { uncountedOffset } from "@messagepasser/protocol/formats";

/** What the router answers for the recipient of frames, a client of a by-name format, which can't answer itself. */
export interface ByNameAnswers {
  /** Frames for the sender, to be sent at once. */
  readonly answers: readonly PeerFrame[];
  /** By the recipient's id of a Connection: the offset for which the sender gets credit, once the recipient has read so far. */
  readonly credits: ReadonlyMap<number, number>;
}

/**
 * Derives the answers from the frames alone, so that the router has to remember nothing about a Connection: frames carry
 * their offsets, unless their sender doesn't count.
 */
export function byNameAnswers(frames: readonly PeerFrame[]): ByNameAnswers {
  const answers: PeerFrame[] = [];
  const credits = new Map<number, number>();
  /** By Connection: the offset at which its data ends, as far as these frames tell. */
  const ends = new Map<number, number>();
  for (const frame of frames) {
    const connection = flipOpenerBit(frame.connection);
    switch (frame.kind) {
      case "data": {
        const start = frame.offset ?? ends.get(connection);
        if (start === undefined) break;
        const end = start + frame.payload.length + limits.frameCostBytes;
        ends.set(connection, end);
        if (Math.floor(end / routerLimits.creditEveryBytes) > Math.floor(start / routerLimits.creditEveryBytes)) {
          credits.set(connection, end);
        }
        break;
      }
      case "fin":
        if (frame.offset < uncountedOffset) ends.set(connection, frame.offset + limits.frameCostBytes);
        break;
      case "yield":
        // The router doesn't know how much the sender has used. A limit above the given-back one declines the yield.
        answers.push({ kind: "credit", connection, received: 0, limit: Math.min(frame.granted + 1, limits.maxOffset) });
        break;
      case "reset":
      case "done":
        answers.push({ kind: "done", connection });
        break;
      default:
        break;
    }
  }
  // Acknowledge everything, since this recipient can't come back for it. First, because other answers may end the Connection.
  const received = Array.from(
    ends,
    ([connection, end]) => ({ kind: "credit", connection, received: end, limit: 0 }) as const,
  );
  return { answers: [...received, ...answers], credits };
}
