import { clientLimits, limits, ProtocolError, type RouterFrame, type RouterFrameOf } from "@messagepasser/protocol";
import type { PeerChange, PeerSession } from "../presence.ts";
import { waiting, type Waiting } from "../waiting.ts";

type Present = RouterFrameOf<"present">;
type Left = RouterFrameOf<"left">;
type Snapshot = RouterFrameOf<"snapshot">;

/** The frames by which the router answers a watch. */
export type Watched = Present | Left | Snapshot;

/** The patterns that a session watches. They are asked for again on each new link. */
export class Watches {
  readonly #send: (frame: RouterFrame) => void;
  readonly #views = new Map<number, View>();
  #last = 0;
  /** Why nothing more is told. */
  #end: Error | "closed" | undefined;

  /** @param send tells the router, or does nothing where there is no link. */
  constructor(send: (frame: RouterFrame) => void) {
    this.#send = send;
  }

  /** Begins to watch a pattern. @throws RangeError for one pattern too many */
  read(pattern: string): Reader {
    const reader = this.open(pattern, limits.maxWatches);
    if (reader !== undefined) return reader;
    throw new RangeError(`Cannot watch "${pattern}": a client can watch ${limits.maxWatches} patterns at once`);
  }

  /** The same, unless this many patterns are watched already. */
  open(pattern: string, most: number): Reader | undefined {
    for (const view of this.#views.values()) if (view.pattern === pattern) return view.read();
    if (this.#views.size >= most) return undefined;
    const request = ++this.#last;
    const view = new View(pattern, () => {
      if (this.#views.delete(request)) this.#send({ kind: "unwatch", request });
    });
    if (this.#end === undefined) {
      this.#views.set(request, view);
      this.#send({ kind: "watch", request, pattern });
    } else view.end(this.#end);
    return view.read();
  }

  /** @throws ProtocolError for more sessions than a realm has */
  receive(frame: Watched): void {
    this.#views.get(frame.request)?.receive(frame);
  }

  /** The link is lost: what the router told may be outdated. */
  lose(): void {
    for (const view of this.#views.values()) view.isComplete = false;
  }

  /** There is a new link. */
  askAgain(): void {
    for (const [request, { pattern }] of this.#views) this.#send({ kind: "watch", request, pattern });
  }

  end(end: Error | "closed"): void {
    this.#end = end;
    for (const view of this.#views.values()) view.end(end);
    this.#views.clear();
  }
}

/** What the router has told of one pattern. */
class View {
  readonly pattern: string;
  readonly sessions = new Map<string, PeerSession>();
  /** Whether the router has told everything on this link. */
  isComplete = false;
  ended: Error | "closed" | undefined;
  readonly #stop: () => void;
  readonly #readers = new Set<Reader>();
  /** Sessions of the snapshot that is under way. */
  #seen: Set<string> | undefined;

  constructor(pattern: string, stop: () => void) {
    this.pattern = pattern;
    this.#stop = stop;
  }

  read(): Reader {
    const reader = new Reader(this, () => {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.#stop();
    });
    this.#readers.add(reader);
    return reader;
  }

  receive(frame: Watched): void {
    if (frame.kind === "snapshot") {
      if (frame.complete === 0) this.#seen = new Set();
      else this.#complete();
      return;
    }
    const { session, name } = frame;
    // No session has a line feed.
    const key = `${session}\n${name}`;
    if (frame.kind === "left") this.sessions.delete(key);
    else {
      const { instance, services, sinceMs } = frame;
      this.sessions.set(key, { name, session, instance, services, sinceMs });
      this.#seen?.add(key);
      if (this.sessions.size > clientLimits.maxListedSessions)
        throw new ProtocolError(`More than ${clientLimits.maxListedSessions} sessions`, 0);
    }
    this.#tell(key);
  }

  #complete(): void {
    for (const key of this.sessions.keys()) {
      if (this.#seen?.has(key) !== false) continue;
      this.sessions.delete(key);
      this.#tell(key);
    }
    this.#seen = undefined;
    this.isComplete = true;
    this.#tell();
  }

  end(end: Error | "closed"): void {
    this.ended = end;
    this.#tell();
  }

  #tell(key?: string): void {
    for (const reader of this.#readers) reader.note(key);
  }
}

/** One reader of what the router tells of a pattern. It keeps what its program knows, and which sessions may have changed. */
export class Reader {
  readonly close: () => void;
  /** Called when the router has told something. */
  onTold: (() => void) | undefined;
  readonly #view: View;
  readonly #known = new Map<string, PeerSession>();
  readonly #changed: Set<string>;
  #wait: Waiting<undefined> | undefined;

  constructor(view: View, close: () => void) {
    this.#view = view;
    this.close = close;
    this.#changed = new Set(view.sessions.keys());
  }

  /** The router has told something. */
  note(key: string | undefined): void {
    // A session that came and left again before the program read of it would stay here for ever.
    if (key !== undefined && (this.#view.sessions.has(key) || this.#known.has(key))) this.#changed.add(key);
    else if (key !== undefined) this.#changed.delete(key);
    this.#wait?.resolve(undefined);
    this.#wait = undefined;
    this.onTold?.();
  }

  /** The next change that the program does not know. */
  take(): PeerChange | undefined {
    for (const key of this.#changed) {
      this.#changed.delete(key);
      const [known, now] = [this.#known.get(key), this.#view.sessions.get(key)];
      if (now === undefined) this.#known.delete(key);
      else this.#known.set(key, now);
      if (now !== undefined && (known === undefined || !isSame(known, now)))
        return { kind: known === undefined ? "here" : "changed", ...now };
      if (now === undefined && known !== undefined) return { kind: "gone", ...known };
    }
    return undefined;
  }

  /** Waits until the router has told something. @returns false once nothing more comes @throws what ended the session */
  async more(signal?: AbortSignal): Promise<boolean> {
    const { ended } = this.#view;
    if (ended === "closed") return false;
    if (ended !== undefined) throw ended;
    signal?.throwIfAborted();
    const { promise, ...wait } = waiting<undefined>(signal, () => undefined);
    this.#wait = wait;
    await promise;
    return true;
  }

  /** Whether the watch knows of a connected session that fits. A reader that asks this gets no changes. */
  knows(isSought: (session: PeerSession) => boolean): boolean {
    while (this.take() !== undefined);
    return Array.from(this.#known.values()).some(isSought);
  }

  /** All sessions that there are, once the router has told them all. @returns `undefined` if the session ends before */
  async all(signal: AbortSignal | undefined): Promise<PeerSession[] | undefined> {
    while (!this.#view.isComplete) if (!(await this.more(signal))) return undefined;
    return Array.from(this.#view.sessions.values());
  }
}

function isSame(one: PeerSession, other: PeerSession): boolean {
  return one.instance === other.instance && one.services.join("\n") === other.services.join("\n");
}
