import { dataFlags, errorCodes, flipOpenerBit, limits, type RouterFrameOf } from "@messagepasser/protocol";
import type { Channel } from "../connection/channel.ts";
import type { Channels } from "./channels.ts";
import { sizeOf } from "./openings.ts";
import type { Paths } from "./paths.ts";
import type { Peer } from "./peer.ts";
import type { Peers } from "./peers.ts";

/** What arriving opens need of their session. */
interface ArrivalsStart {
  readonly channels: Channels;
  readonly peers: Peers;
  readonly paths: Paths;
  /** Runs something at the end of this turn of the event loop. */
  defer(callback: () => void): void;
  /** Gets each channel that another client opened, to accept or to reject. */
  onIncoming(channel: Channel): void;
}

/** The opens of other clients: refuses those past a limit, and gives the others to the program. */
export class Arrivals {
  readonly #start: ArrivalsStart;

  constructor(start: ArrivalsStart) {
    this.#start = start;
  }

  /** An open from a peer arrived. One that is known already means nothing: its sender could not tell that it had arrived. */
  receive(open: RouterFrameOf<"open">, peer: Peer): void {
    const { connection } = open;
    const key = flipOpenerBit(connection);
    if (peer.channels.has(key)) return;
    if (connection <= peer.endedOpen) {
      peer.frame({ kind: "done", connection });
      return;
    }
    peer.lastOpen = Math.max(peer.lastOpen, connection);
    const refusal = this.#refusalOf(peer, open);
    if (refusal === undefined) this.#take(open, peer, key);
    else peer.frame({ kind: "reset", connection, ...refusal });
  }

  #take({ protocol, metadata, limit, flags, first }: RouterFrameOf<"open">, peer: Peer, key: number): void {
    const own = { key, peer: peer.name, protocol, metadata };
    const channel = this.#start.channels.make(own, { peer }, { from: peer.at, limit });
    peer.channels.set(key, channel);
    const { account } = this.#start.paths.to(peer.name);
    const bytes = first.length + sizeOf(metadata);
    account.pendingOpens++;
    account.undecided.add(bytes);
    const decided = (): void => {
      account.pendingOpens--;
      account.undecided.add(-bytes);
    };
    channel.accepted.then(decided, decided);
    const last = (flags & dataFlags.last) !== 0;
    const text = (flags & dataFlags.text) !== 0;
    // A copy, since a view would keep its whole batch alive until the program decides, and only its own bytes are counted.
    if (last || first.length > 0)
      channel.receiveFirst({ kind: "data", connection: key, last, text, offset: 0, payload: first.slice() });
    // A turn later: the program may add its handler only once it was told what came before, as after `connect`.
    this.#start.defer(() => {
      if (!channel.isOver) this.#start.onIncoming(channel);
      // Nobody will ever read its first message.
      else channel.receiver.drop();
    });
  }

  #refusalOf(
    peer: Peer,
    { first, metadata }: RouterFrameOf<"open">,
  ): { readonly code: number; readonly reason: string } | undefined {
    const { channels, peers, paths } = this.#start;
    const { connections, pendingOpens, undecided, batches } = paths.to(peer.name).account;
    // Before refusing anyone, forget the resets kept for peers that never returned.
    if (channels.count >= limits.maxConnections) peers.forgetResets();
    const { tooManyConnections, busy } = errorCodes;
    if (connections >= limits.maxConnectionsPerPeer)
      return {
        code: tooManyConnections,
        reason: `There are ${connections} Connections between the two already`,
      };
    if (channels.count >= limits.maxConnections)
      return { code: tooManyConnections, reason: `There are ${channels.count} Connections already` };
    if (pendingOpens >= limits.maxPendingOpens)
      return { code: busy, reason: `${pendingOpens} opens wait to be accepted already` };
    // A program that accepts without reading keeps first messages, which no window bounds.
    if ((first.length > 0 && batches.isFull) || (first.length + sizeOf(metadata) > 0 && undecided.isFull))
      return { code: busy, reason: "There is no room for a first message or metadata" };
    return undefined;
  }
}
