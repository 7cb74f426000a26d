// All systems that the benchmark compares.
import { batchRelay } from "./batch-relay/system.ts";
import { libp2p } from "./libp2p/system.ts";
import { nats } from "./nats/system.ts";
import { original } from "./original/system.ts";
import { partyserver } from "./partyserver/system.ts";
import { relay } from "./relay/system.ts";
import { router } from "./router/system.ts";
import { socketIo } from "./socket-io/system.ts";
import { wsRelay } from "./ws-relay/system.ts";

/** The first is ours, with which all others are compared. */
export const systems = [router, batchRelay, relay, wsRelay, nats, socketIo, partyserver, libp2p, original];

/** Those that can have a hundred senders, and a hundred senders to one receiver. */
export const crowdSystems = [router, nats, socketIo];
