import { installedPackages, serverSystem, type System } from "../system.ts";

/** Nodes that find a way to each other. Here a relay node connects them, as the router connects its clients. */
export const libp2p: System = serverSystem({
  name: "libp2p",
  title: "libp2p",
  folder: import.meta.dirname,
  version: () => installedPackages("libp2p", "@libp2p/circuit-relay-v2"),
});
