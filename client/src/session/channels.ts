import { Channel } from "../connection/channel.ts";
import type { ChannelStart, Opened } from "../connection/channel-start.ts";
import type { Shared } from "../connection/path.ts";
import type { Home, Openings } from "./openings.ts";
import type { Paths } from "./paths.ts";

/** The parameters that all channels of a session have in common. */
interface ChannelsStart {
  readonly shared: Shared;
  readonly paths: Paths;
  readonly openings: Openings;
  readonly maxMessageBytes: number;
}

/** Makes the channels of a session, and counts those of which the other end may still want to be told something. */
export class Channels {
  readonly #start: ChannelsStart;
  #count = 0;

  constructor(start: ChannelsStart) {
    this.#start = start;
  }

  get count(): number {
    return this.#count;
  }

  make(own: Pick<ChannelStart, "key" | "peer" | "protocol" | "metadata">, home: Home, opened?: Opened): Channel {
    this.#count++;
    const { shared, paths, openings, maxMessageBytes } = this.#start;
    const path = paths.to(own.peer);
    path.account.connections++;
    const channel = new Channel(
      {
        ...own,
        maxMessageBytes,
        shared,
        path,
        home,
        reopen: () => {
          openings.repeat(channel, home);
        },
        onForgotten: () => {
          this.#count--;
          path.account.connections--;
          home.peer?.channels.delete(own.key);
          openings.delete(own.key);
        },
      },
      opened,
    );
    return channel;
  }
}
