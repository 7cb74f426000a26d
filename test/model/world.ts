import { errorCodes } from "@messagepasser/protocol";
import type { Channel } from "../../client/src/connection/channel.ts";
import { FrameInspector } from "./frames.ts";
import { Life, type Runtime } from "./life.ts";
import { makeMessage } from "./messages.ts";
import { Router } from "./router.ts";
import type { Schedule, Step } from "./steps.ts";
import { type End, type Protocol, Talk, type Watch } from "./talk.ts";
import { randomOf, Time } from "./time.ts";
import type { Wire } from "./wire.ts";

/** More turns than any honest exchange needs: past it, somebody talks to himself for ever. */
const mostTurns = 10_000;
const nothing = Promise.resolve();

/** Real sessions and a real router on a network, a clock and a dice that do what a schedule says. */
export class World implements Watch {
  readonly pending = new Set<string>();
  readonly time = new Time();
  readonly lives: Life[] = [];
  readonly talks: Talk[] = [];
  readonly names: readonly string[];
  readonly notes: string[] | undefined;
  readonly #router: Router;
  readonly #runtime: Runtime;
  readonly #inspector: FrameInspector;
  readonly #problems: string[] = [];
  #deferred: (() => void)[] = [];
  #stirs = 0;

  /** @param isTraced whether to keep notes of all that happens. */
  constructor({ names, graceMs, seed }: Schedule, isTraced: boolean) {
    this.names = ["alice", "bob", "carol"].slice(0, names);
    this.notes = isTraced ? [] : undefined;
    const random = randomOf(seed);
    this.#router = new Router(this.time.clockOf(this, random));
    this.#inspector = new FrameInspector(this);
    this.#runtime = {
      router: this.#router,
      clockOf: (owner) => this.time.clockOf(owner, random),
      graceMs,
      defer: (callback) => void this.#deferred.push(callback),
      onSend: (wire, message) => {
        this.#inspector.sent(wire, message);
      },
      note: (text) => {
        this.note(text);
      },
    };
  }

  note(text: string): void {
    this.notes?.push(`${this.time.nowMs.toFixed(0).padStart(7)} ${text}`);
  }

  stir(): void {
    this.#stirs++;
  }

  fail(problem: string): void {
    this.note(`WRONG: ${problem}`);
    this.#problems.push(problem);
  }

  /** The life that has a name now: the newest. */
  lifeOf(name: string): Life | undefined {
    return this.lives.findLast((life) => life.name === name);
  }

  /** How many lives a name has had. */
  livesOf(name: string): number {
    return this.lives.filter((life) => life.name === name).length;
  }

  get ends(): End[] {
    return this.talks.flatMap(({ ends }) => ends);
  }

  begin(name: string): Life {
    const id = (this.lives.length + 0xa1).toString(16).repeat(16);
    this.note(`${name}/${id.slice(0, 2)} begins`);
    const life = new Life(name, id, this.#runtime);
    life.session.onIncoming = (channel) => {
      this.#handle(life, channel);
    };
    this.lives.push(life);
    return life;
  }

  open(life: Life, to: string, protocol: Protocol, first: number | undefined): void {
    const id = this.talks.length;
    const message =
      first === undefined ? undefined : makeMessage(`${id}>0/${life.id.slice(0, 2)}`, first, first % 2 === 0);
    const channel = life.session.open(to, protocol, { metadata: { talk: String(id) }, first: message });
    const talk = new Talk(this, id, life, channel, to, protocol);
    if (message !== undefined) talk.opener.sent.push(message);
    this.talks.push(talk);
    this.note(`${talk.toString()} opens${first === undefined ? "" : ` with ${first} bytes`}`);
    const key = `answer to the open of ${talk.toString()}`;
    this.pending.add(key);
    const settle = (error?: Error): void => {
      this.pending.delete(key);
      this.stir();
      // Each failure of a channel is an error of Connections.
      talk.outcome = { error: error as ReturnType<Channel["error"]> | undefined };
      this.note(`${talk.toString()} is ${error === undefined ? "open" : `not open: ${error.message}`}`);
    };
    channel.accepted.then(() => {
      settle();
    }, settle);
  }

  giveUp(talk: Talk): void {
    const { channel } = talk.opener;
    this.note(`${talk.toString()} is given up`);
    talk.opener.hasAborted = true;
    channel.reset(errorCodes.openTimedOut, "", channel.error("open-timed-out", "no answer"));
  }

  decide(end: End, accepts: boolean): void {
    this.note(`${end.toString()} is ${accepts ? "accepted" : "refused"}`);
    if (accepts) end.channel.accept();
    else end.abort();
  }

  kill(survivors: number): void {
    this.note("The router dies");
    for (const wire of this.#router.die()) wire.orphan(survivors);
  }

  sleep(): void {
    this.note("The router sleeps");
    this.#router.sleep();
  }

  /** Wires on which something is under way. */
  wiresWith(direction: "up" | "down"): Wire[] {
    return this.wires.filter((wire) => wire[direction].length > 0);
  }

  get wires(): Wire[] {
    return this.lives.flatMap((life) => life.wires);
  }

  deliver(wire: Wire, direction: "up" | "down"): void {
    const [item] = wire[direction];
    if (this.notes !== undefined)
      this.#inspector.note(direction === "up" ? `${wire.toString()} → router` : `router → ${wire.toString()}`, item);
    if (direction === "down" && item instanceof Uint8Array) this.#inspector.delivered(wire, item);
    if (direction === "up") wire.deliverUp();
    else wire.deliverDown();
  }

  /** Delivers all there is, and what that brings about, until nothing is under way. */
  async flow(): Promise<void> {
    await this.settle();
    for (let turns = 0; turns < mostTurns; turns++) {
      let isQuiet = true;
      for (const direction of ["up", "down"] as const) {
        for (const wire of this.wiresWith(direction)) {
          isQuiet = false;
          this.deliver(wire, direction);
        }
        await this.settle();
      }
      if (isQuiet) return;
    }
    throw new Error("Messages bring about messages for ever");
  }

  /** Time passes up to then. */
  async pass(ms: number, flows: boolean): Promise<void> {
    const untilMs = this.time.nowMs + ms;
    if (flows) await this.flow();
    while (this.time.step(untilMs)) await (flows ? this.flow() : this.settle());
  }

  /** Lets the turn of the event loop end: promises, then what is deferred, until there is none. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < mostTurns; turns++) {
      let stirs: number;
      do {
        stirs = this.#stirs;
        // As many as the longest chain of promises between two calls of `stir` has.
        for (let tick = 0; tick < 6; tick++) await nothing;
      } while (stirs !== this.#stirs);
      const [problem] = this.#problems;
      if (problem !== undefined) throw new Error(problem);
      if (this.#deferred.length === 0) return;
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const callback of deferred) callback();
    }
    throw new Error("A turn of the event loop brings about the next one for ever");
  }

  #handle(life: Life, channel: Channel): void {
    const talk = this.talks[Number(channel.metadata["talk"])];
    if (talk === undefined || talk.opener.life.name !== channel.peer || talk.protocol !== channel.protocol) {
      throw new Error(`Nobody opened what ${life.toString()} got from "${channel.peer}"`);
    }
    this.note(`${life.toString()} handles ${talk.toString()}`);
    if (talk.acceptors.some((end) => end.life === life)) this.fail(`${talk.toString()} is handled twice`);
    const end = talk.join(life, channel);
    switch (talk.protocol) {
      case "take":
        channel.accept();
        break;
      case "answer":
        end.send(20, true);
        break;
      case "refuse":
        end.abort();
        break;
      case "wait":
    }
  }
}

/** One of several, by any number. */
function pick<T>(from: readonly T[], number: number): T | undefined {
  return from[number % Math.max(1, from.length)];
}

/** Does one step of a schedule. One that finds nothing to act on does nothing. */
export async function take(world: World, step: Step): Promise<void> {
  switch (step.do) {
    case "up":
    case "down": {
      const wire = pick(world.wiresWith(step.do), step.wire);
      if (wire === undefined) break;
      for (let count = 0; count < step.count; count++) world.deliver(wire, step.do);
      break;
    }
    case "flow":
      await world.flow();
      break;
    case "pass":
      await world.pass(step.ms, step.flows);
      break;
    case "open": {
      const life = pick(
        world.lives.filter((each) => each.wasOnline && !each.isOver),
        step.from,
      );
      if (life !== undefined) world.open(life, pick(world.names, step.to) ?? "", step.protocol, step.first);
      break;
    }
    case "decide": {
      const end = pick(
        world.ends.filter((each) => each.isWaiting),
        step.end,
      );
      if (end !== undefined) world.decide(end, step.accepts);
      break;
    }
    case "giveUp": {
      const talk = pick(
        world.talks.filter((each) => each.outcome === undefined),
        step.open,
      );
      if (talk !== undefined) world.giveUp(talk);
      break;
    }
    case "break": {
      const wire = pick(
        world.wires.filter((each) => each.isUp),
        step.wire,
      );
      if (wire === undefined) break;
      world.note(`${wire.toString()} breaks, noticed by ${step.noticed}`);
      if (step.noticed !== "client") wire.breakAtRouter(step.survivors);
      if (step.noticed !== "router") wire.breakAtClient(step.survivors);
      break;
    }
    case "kill":
      world.kill(step.survivors);
      break;
    case "sleep":
      world.sleep();
      break;
    case "restart": {
      const name = pick(world.names, step.who) ?? "";
      if (step.saysBye) world.lifeOf(name)?.session.bye();
      world.begin(name);
      break;
    }
    default: {
      const end = pick(
        world.ends.filter((each) => each.isUsable),
        step.end,
      );
      if (end === undefined) break;
      if (step.do === "send") end.send(step.size, step.isText);
      else if (step.do === "receive") end.receive(step.forAll);
      else end[step.do]();
    }
  }
  await world.settle();
}
