// A relay node of libp2p, for peers that can't reach each other.
import { circuitRelayServer } from "@libp2p/circuit-relay-v2";
import { createLibp2p } from "libp2p";
import { links, services, transport } from "../ends/libp2p-links.ts";

const node = await createLibp2p({
  ...links,
  addresses: { listen: ["/ip4/127.0.0.1/tcp/0/ws"] },
  transports: [transport],
  services: {
    ...services,
    // By default 128 KiB for each relayed link, within two minutes.
    relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }),
  },
});
console.log(String(node.getMultiaddrs()[0]));
// Nobody is there any more who could end this process.
process.stdin.resume().on("end", () => process.exit());
