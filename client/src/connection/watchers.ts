import { type ConnectionStatus, tell } from "../status.ts";
import type { Channel } from "./channel.ts";

type Watcher = (status: ConnectionStatus) => void;

/** The callbacks of Connections whose programs ask for their status. Of the others nothing is kept. */
const watchers = new WeakMap<Channel, Watcher | undefined>();

/** The program's callback for a Connection's status. */
export function watcherOf(channel: Channel): Watcher | undefined {
  return watchers.get(channel);
}

/** Calls the program back whenever the Connection's status changes, in place of an earlier callback. */
export function watch(channel: Channel, watcher: Watcher | undefined): void {
  if (!watchers.has(channel))
    void channel.closed.then(() => {
      tellWatcher(channel);
    });
  watchers.set(channel, watcher);
}

export function tellWatcher(channel: Channel): void {
  tell(watchers.get(channel), channel.status);
}
