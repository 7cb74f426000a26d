import { Budget } from "../../client/src/connection/budget.ts";
import { Quota } from "../../client/src/connection/quota.ts";
import type { LinkError } from "../../client/src/errors.ts";
import type { Clock, Platform } from "../../client/src/link/platform.ts";
import { Session } from "../../client/src/session/session.ts";
import type { Router } from "./router.ts";
import type { Protocol, Says } from "./steps.ts";
import { Wire } from "./wire.ts";

/** The surroundings of a life. */
export interface Runtime {
  readonly router: Router;
  readonly clockOf: (owner: object) => Clock;
  readonly graceMs: number;
  defer(callback: () => void): void;
  onSend(wire: Wire, message: Uint8Array | string): void;
  note(text: string): void;
}

/** Objects that sessions made, to be inspected at the end. A session doesn't show what it keeps and grants. */
const made = { budgets: new Set<Budget>(), kept: new Map<Quota, number>() };
watch();

const protocols: readonly Protocol[] = ["take", "answer", "wait", "refuse"];

/** Which program begins. */
export interface LifeStart {
  readonly name: string;
  /** Its session. */
  readonly id: string;
  readonly instance: string;
  readonly says: Says;
}

/** One life of a client: a real session on a simulated platform. */
export class Life {
  readonly name: string;
  readonly id: string;
  readonly instance: string;
  readonly session: Session;
  /** Newest last. */
  readonly wires: Wire[] = [];
  isOnline = false;
  /** Whether it ever was: what fails before may fail for good. */
  wasOnline = false;
  isOver = false;
  /** Whether it is gone without a word. */
  hasVanished = false;
  /** How often something has changed for it: its link, what it handles, or that it has ended. */
  unrest = 0;
  /** Whether its session is over, has been replaced or has vanished: Connections with it may be lost, though nobody knows yet. */
  isDoomed = false;
  /** Why it is over, if not by its own bye. */
  error: LinkError | undefined;
  /** Protocols that its program takes; `undefined` for all, of which its client tells the router nothing. */
  readonly #handlers: Set<Protocol> | undefined;

  constructor({ name, id, instance, says }: LifeStart, runtime: Runtime) {
    const { router, clockOf, graceMs, defer, onSend, note } = runtime;
    this.name = name;
    this.id = id;
    this.instance = instance;
    this.#handlers = says === "nothing" ? undefined : new Set();
    const platform: Platform = {
      dial: (_url, _subprotocol, _credentials, events) => {
        const wire = new Wire(this, router, events, onSend);
        this.wires.push(wire);
        return wire;
      },
      defer,
      clock: clockOf(this),
    };
    this.session = new Session(platform, {
      url: new URL("ws://router.example"),
      format: undefined,
      login: { name, secret: "secret" },
      who: name,
      maxMessageBytes: 16_777_216,
      graceMs,
      onStatus: (status) => {
        note(`${this.toString()} is ${status.kind}${status.kind === "resumed" ? ` with ${status.peer}` : ""}`);
        if (status.kind === "resumed") return;
        this.isOnline = status.kind === "online";
        this.unrest++;
      },
    });
    if (this.#handlers !== undefined) {
      // As every client does.
      this.session.serving.add("$ping", false);
      if (says !== "none") for (const protocol of protocols) this.handle(protocol, says === "shared");
    }
    this.session.welcomed.then(
      () => (this.isOnline = this.wasOnline = true),
      () => undefined,
    );
    void this.session.closed.then((error) => {
      note(`${this.toString()} is over: ${error?.code ?? "bye"}`);
      this.isOver = true;
      this.isOnline = false;
      this.doom();
      this.error = error;
    });
  }

  handles(protocol: Protocol): boolean {
    return this.#handlers?.has(protocol) !== false;
  }

  handle(protocol: Protocol, isShared: boolean): void {
    this.#handlers?.add(protocol);
    if (this.#handlers !== undefined) this.session.serving.add(protocol, isShared);
  }

  unhandle(protocol: Protocol): void {
    this.#handlers?.delete(protocol);
    if (this.#handlers !== undefined) this.session.serving.remove(protocol);
  }

  /** Whether it is online, and the router knows all that it has said. */
  get isSettled(): boolean {
    return this.isOnline && !this.isDoomed && this.wires.at(-1)?.isIdle === true;
  }

  doom(): void {
    this.isDoomed = true;
    this.unrest++;
  }

  bye(): void {
    this.doom();
    this.session.bye();
  }

  /** Its program is killed, and its machine gone: nothing more is told to anybody. */
  vanish(): void {
    this.hasVanished = true;
    this.doom();
    for (const wire of this.wires) wire.vanish();
    this.session.drop("gone");
  }

  toString(): string {
    return `${this.name}${this.instance === "" ? "" : `:${this.instance}`}/${this.id.slice(0, 2)}`;
  }
}

/** Nothing is kept and nothing is granted any more. */
export function areAllCommonsFree(): boolean {
  for (const bytes of made.kept.values()) if (bytes !== 0) return false;
  // One byte more than all there is can't be had: so neither is there more than all.
  for (const budget of made.budgets)
    if (!budget.has(budget.totalBytes) || budget.has(budget.totalBytes + 1)) return false;
  return true;
}

/** Whether anything was ever seen of both: or else to look at them shows nothing. */
export function areCommonsSeen(): boolean {
  return made.budgets.size > 0 && made.kept.size > 0;
}

export function forgetShared(): void {
  made.budgets.clear();
  made.kept.clear();
}

/** Notes each budget and each keep as soon as it is used. */
function watch(): void {
  const { take } = Budget.prototype;
  Budget.prototype.take = function (this: Budget, ...parameters) {
    made.budgets.add(this);
    return take.apply(this, parameters);
  };
  const { add } = Quota.prototype;
  Quota.prototype.add = function (this: Quota, bytes) {
    made.kept.set(this, (made.kept.get(this) ?? 0) + bytes);
    add.call(this, bytes);
  };
}
