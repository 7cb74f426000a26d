// The messages between the soak and its processes. All of them go as JSON.
import type { Role } from "./plan.ts";

/** Soak to client process. */
export type ToClients =
  | { readonly kind: "start"; readonly start: ClientsStart }
  /** Opens nothing more, and hurries with what is open. No faults come from now on. */
  | { readonly kind: "drain" }
  /** Tells what is unfinished, leaves, and ends. */
  | { readonly kind: "stop" };

export interface ClientsStart {
  readonly seed: number;
  /** When the run began, as `Date.now()` tells: what all times in reports count from. */
  readonly epochMs: number;
  /** All clients of the run, for the choice of whom to open to. */
  readonly names: readonly string[];
  /** Those of this process. */
  readonly clients: readonly ClientDial[];
  /** How many streams each client has open at once, of its own. */
  readonly streamsAtOnce: number;
}

export interface ClientDial {
  readonly name: string;
  readonly secret: string;
  readonly url: string;
}

/** Client process to soak. */
export type FromClients =
  /** All clients are connected. */
  | { readonly kind: "ready" }
  | { readonly kind: "counts"; readonly counts: ClientCounts }
  /** A handler runs. */
  | { readonly kind: "handled"; readonly stream: string; readonly attempt: number; readonly by: string }
  /** An end of a stream has done all that it should, or failed and said so. */
  | { readonly kind: "finished"; readonly stream: string; readonly role: Role }
  | { readonly kind: "failure"; readonly failure: Failure }
  /** The "stop" is done. */
  | { readonly kind: "stopped" };

/** Since the process began, but for `open`. */
export interface ClientCounts {
  /** Messages that came as they should. */
  readonly messages: number;
  readonly bytes: number;
  /** Ends of streams that are not finished. */
  readonly open: number;
  /** Opens that failed and were tried again. */
  readonly reopened: number;
  /** How many links were found again by their client: 0 where the client doesn't tell. */
  readonly resumed: number;
}

export type FailureKind = "lost" | "duplicated" | "reordered" | "stuck";

/** Something that the router or the client did wrong. */
export interface Failure {
  readonly what: FailureKind;
  /** How many messages; 1 for a Connection. */
  readonly count: number;
  readonly atMs: number;
  /** Which end of which stream, or which client. */
  readonly where: string;
  /** The clients whose faults may have to do with it. */
  readonly clients: readonly string[];
  readonly detail: string;
  /** The last things that happened there, oldest first. */
  readonly events: readonly string[];
}

/** Soak to router process. */
export type ToRouter =
  | { readonly kind: "start"; readonly start: RouterStart }
  | {
      readonly kind: "evict";
      readonly id: number;
      readonly webSockets: "hibernate" | "close";
      readonly shard: number;
    };

export interface RouterStart {
  readonly port: number;
  /** The bundled Worker. */
  readonly workerFile: string;
  /** The router's own secrets are in there too. */
  readonly stateDirectory: string;
}

/** Router process to soak. */
export type FromRouter =
  | { readonly kind: "ready"; readonly adminToken: string }
  | { readonly kind: "evicted"; readonly id: number; readonly error?: string };
