import type { Dial } from "../ends/end.ts";

/** Something that carries messages between two programs: the router, or what people would use instead. */
export interface System {
  /** As in options, results and the names of files: "router", "nats". */
  readonly name: string;
  /** As in tables and charts. */
  readonly title: string;
  /** @throws AbsentError when it isn't on this machine. */
  start(): Promise<RunningSystem>;
}

/** A server that is up, with nobody connected. */
export interface RunningSystem extends AsyncDisposable {
  /** Of the server and of its client, as in "nats-server 2.15.2, @nats-io/nats-core 3.4.0". */
  readonly version: string;
  /** The server's processes: their time and memory are the server's. */
  readonly processIds: readonly number[];
  /** The program of its ends: a module as ends/end.ts says, or an executable that speaks as calls.ts says. */
  readonly end: { readonly module: string } | { readonly executable: string };
  /** Makes sure that an end of this name may come, and says how. The other end is dialled with the names turned round. */
  dial(role: Role, name: string, peer: string): Promise<Dial>;
}

export type Role = "sender" | "receiver";

/** A system that can't be measured here; the message says why, and how it could be. */
export class AbsentError extends Error {}
