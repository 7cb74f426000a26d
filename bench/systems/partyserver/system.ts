import { join } from "node:path";
import { installedPackages, type System, workerSystem } from "../system.ts";

/** What people use to write WebSocket servers on Durable Objects, and its client. */
export const partyserver: System = workerSystem({
  name: "partyserver",
  title: "PartyServer",
  folder: import.meta.dirname,
  version: () => installedPackages("partyserver", "partysocket"),
  worker: join(import.meta.dirname, "partyserver-worker.ts"),
  // The library finds the class by this name.
  binding: "Relay",
});
