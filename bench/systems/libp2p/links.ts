// How all nodes on libp2p make links, as its documentation does it.
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import { webSockets } from "@libp2p/websockets";

const streamOptions = {
  /** In milliseconds. An end may wait long for its turn, and by default streams end after two idle minutes. */
  inactivityTimeout: 3_600_000,
  /** In bytes. The default of 16 MiB is no faster, and what is under way then takes seconds to arrive. */
  maxStreamWindowSize: 1_048_576,
};

export const transport = webSockets();

export const links = {
  // Its pings wait behind a stream that is as fast as possible, and then it gives the link up.
  connectionMonitor: { enabled: false },
  connectionEncrypters: [noise()],
  streamMuxers: [yamux({ streamOptions })],
};

export const services = { identify: identify() };
