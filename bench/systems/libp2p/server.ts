// A relay node of libp2p, for peers that can't reach each other.
import { circuitRelayServer } from "@libp2p/circuit-relay-v2";
import { createLibp2p } from "libp2p";
import { announce } from "../../processes/answering.ts";
import { links, services, transport } from "./links.ts";

const node = await createLibp2p({
  ...links,
  addresses: { listen: ["/ip4/127.0.0.1/tcp/0/ws"] },
  transports: [transport],
  services: {
    ...services,
    // The default is 128 KiB for each relayed link, within two minutes.
    relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }),
  },
});
announce(String(node.getMultiaddrs()[0]));
