import { flipOpenerBit, limits, type PeerFrame, routerLimits } from "@messagepasser/protocol";
import { uncountedOffset } from "@messagepasser/protocol/formats";

/** What the router owes the sender of frames that went to a client of a by-name format, which says none of it itself. */
export interface ByNameAnswers {
  /** What the sender hears at once. */
  readonly answers: readonly PeerFrame[];
  /** By Connection, as the client calls it: the offset up to which the sender may hear that it was read, once it was. */
  readonly credits: ReadonlyMap<number, number>;
}

/**
 * Works out what to answer from nothing but the frames themselves, so that nothing has to be remembered of a Connection:
 * they carry their offsets, unless their sender doesn't count.
 */
export function byNameAnswers(frames: readonly PeerFrame[]): ByNameAnswers {
  const answers: PeerFrame[] = [];
  const credits = new Map<number, number>();
  /** By Connection: up to where its data is known to go. */
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
        // Nobody here knows what it used. More than it gives back is the answer that leaves it as it was.
        answers.push({ kind: "credit", connection, received: 0, limit: Math.min(frame.from + 1, limits.maxOffset) });
        break;
      case "reject":
      case "reset":
      case "over":
        answers.push({ kind: "over", connection });
        break;
      default:
        break;
    }
  }
  // It has arrived as far as it can: who has no way back gets nothing twice. Before all that may end the Connection.
  const received = Array.from(
    ends,
    ([connection, end]) => ({ kind: "credit", connection, received: end, limit: 0 }) as const,
  );
  return { answers: [...received, ...answers], credits };
}
