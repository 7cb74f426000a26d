import { anySession, clientLimits, errorCodes, flipOpenerBit, labelOf } from "@messagepasser/protocol";
import type { Channel } from "../../client/src/connection/channel.ts";
import type { Message } from "../../client/src/connection/message.ts";
import type { ConnectionError } from "../../client/src/errors.ts";
import { firstAccepted, isOneFrame } from "../../client/src/second-open.ts";
import type { Target } from "../../client/src/session/openings.ts";
import { nameOn } from "../support/shard-names.ts";
import type { Fate } from "./calls.ts";
import { FrameInspector } from "./frames.ts";
import { Life, type Runtime } from "./life.ts";
import { describeMessage, makeMessage } from "./messages.ts";
import { Router } from "./router.ts";
import { longGraceMs, type Protocol, type Says, type Schedule, type Step } from "./steps.ts";
import { type Aimed, type Call, type Calm, type End, Talk, type Watch } from "./talk.ts";
import { randomOf, Time } from "./time.ts";
import type { Wire } from "./wire.ts";

/** More turns than any honest exchange needs: past it, somebody talks to himself for ever. */
const mostTurns = 10_000;
const nothing = Promise.resolve();
/** How many sessions join in a schedule, of all names. */
const mostLives = 7;

/** Real sessions and a real router on a network, a clock and a dice that do what a schedule says. */
export class World implements Watch {
  readonly pending = new Set<string>();
  readonly time = new Time();
  readonly lives: Life[] = [];
  readonly talks: Talk[] = [];
  readonly names: readonly string[];
  readonly notes: string[] | undefined;
  readonly graceMs: number;
  readonly router: Router;
  readonly #runtime: Runtime;
  readonly #inspector: FrameInspector;
  readonly #problems: string[] = [];
  readonly #says: Says;
  #deferred: (() => void)[] = [];
  #stirs = 0;

  /** @param isTraced whether to keep notes of all that happens. */
  constructor({ names, shards = 1, says, graceMs, seed }: Schedule, isTraced: boolean) {
    // Each at another shard than the one before.
    this.names = ["alice", "bob", "carol"]
      .slice(0, names)
      .map((name, at) => (shards === 1 ? name : nameOn(at % shards, name, shards)));
    this.graceMs = graceMs;
    this.#says = says;
    this.notes = isTraced ? [] : undefined;
    const random = randomOf(seed);
    this.router = new Router({
      shards,
      clock: this.time.clockOf(this, random),
      fail: (problem) => {
        this.fail(problem);
      },
    });
    this.#inspector = new FrameInspector(this);
    this.#runtime = {
      router: this.router,
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

  /** Whether ends may wait for each other for longer than their grace. */
  get isGraceShort(): boolean {
    return this.graceMs < longGraceMs;
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

  /** The newest life of a name. */
  lifeOf(name: string): Life | undefined {
    return this.lives.findLast((life) => life.name === name);
  }

  get ends(): End[] {
    return this.talks.flatMap(({ ends }) => ends);
  }

  /** @param instance default: the one that the first life of each name has */
  begin(name: string, instance = "one", says: Says = this.#says): void {
    const id = (this.lives.length + 0xa1).toString(16).repeat(16);
    // Before the router knows, since the one before may come back first.
    this.#supersede({ name, session: id, instance });
    const life = new Life({ name, id, instance, says }, this.#runtime);
    this.note(`${life.toString()} begins and says ${says}`);
    life.session.onIncoming = (channel) => {
      this.#handle(life, channel);
    };
    this.lives.push(life);
  }

  /** Something changes for a client, or for all. */
  disturb(life?: Life): void {
    for (const each of life === undefined ? this.lives : [life]) each.unrest++;
  }

  /** As `Client.open` does, but without a limit of time. */
  open(life: Life, to: Aimed, protocol: Protocol, first: number | undefined): void {
    const id = this.talks.length;
    const message =
      first === undefined ? undefined : makeMessage(`${id}>0/${life.id.slice(0, 2)}`, first, first % 2 === 0);
    const call: Call = {
      to,
      calm: isOneFrame(message) ? this.#calmOf(to, protocol) : undefined,
      talks: [],
      outcome: undefined,
    };
    const open = (target: Target): Channel => {
      const channel = life.session.open(to.name, protocol, {
        metadata: { call: String(id) },
        first: message,
        to: target,
      });
      this.#track(call, life, channel, message);
      return channel;
    };
    const openAnother = (but: string): Channel => open({ label: to.name, session: but, isExcluded: true });
    const isForAny = to.instance === "" && to.session === anySession && isOneFrame(message);
    const channel = open({ label: labelOf(to.name, to.instance), session: to.session });
    const wait = { patienceMs: clientLimits.secondOpenAfterMs, timeoutMs: Infinity, signal: undefined };
    const key = `call ${id} of ${life.toString()}`;
    this.pending.add(key);
    const settle = (won: Channel | undefined): void => {
      this.pending.delete(key);
      this.stir();
      call.outcome = { talk: call.talks.find(({ opener }) => opener.channel === won) };
      for (const talk of call.talks) {
        if (talk.opener.channel === won || call.talks.length === 1) continue;
        // One that failed has its outcome, and another one that goes on would be a second Connection.
        if (!talk.opener.channel.isOver) this.fail(`${talk.toString()} goes on beside another of its call`);
        talk.opener.hasAborted = true;
      }
    };
    firstAccepted(channel, wait, isForAny ? openAnother : undefined).then(settle, (error: unknown) => {
      settle(undefined);
      this.#checkCalm(call, error);
    });
  }

  giveUp({ talks }: Call): void {
    this.note(`${String(talks[0])} is given up`);
    for (const { opener } of talks) {
      const { channel } = opener;
      opener.hasAborted = true;
      channel.reset(errorCodes.openTimedOut, "", channel.error("open-timed-out", "no answer"));
    }
  }

  decide(end: End, accepts: boolean): void {
    this.note(`${end.toString()} is ${accepts ? "accepted" : "refused"}`);
    if (accepts) end.channel.accept();
    else end.abort();
  }

  stall(wire: Wire, isStalled: boolean): void {
    wire.isStalled = isStalled;
    this.disturb(this.lives.find((life) => life.wires.includes(wire)));
    this.note(`${wire.toString()} ${isStalled ? "lets nothing through" : "lets everything through again"}`);
  }

  vanish(life: Life): void {
    this.note(`${life.toString()} vanishes`);
    life.vanish();
  }

  kill(shard: number, survivors: number): void {
    this.disturb();
    this.note(`Object ${shard} dies`);
    for (const wire of this.router.die(shard, survivors)) wire.orphan(survivors);
  }

  sleep(shard: number): void {
    if (this.router.sleep(shard)) this.note(`Object ${shard} sleeps`);
  }

  /** Calls of objects of different versions can't be read. */
  setVersion(shard: number, isAnother: boolean): void {
    const object = this.router.shards[shard];
    if (object === undefined) return;
    object.isOfAnotherVersion = isAnother;
    this.note(`Object ${shard} is of ${isAnother ? "another" : "the same"} version`);
  }

  endCall(number: number, fate: Fate): void {
    this.note(`Call ${number} of ${this.router.calls.count} is ${fate}`);
    this.router.calls.end(number, fate);
  }

  /** Wires on which something is under way. */
  wiresWith(direction: "up" | "down"): Wire[] {
    return this.wires.filter((wire) => !wire.isStalled && wire[direction].length > 0);
  }

  get wires(): Wire[] {
    return this.lives.flatMap((life) => life.wires);
  }

  deliver(wire: Wire, direction: "up" | "down"): void {
    const [item] = wire[direction];
    if (this.notes !== undefined)
      this.#inspector.note(direction === "up" ? `${wire.toString()} → router` : `router → ${wire.toString()}`, item);
    if (direction === "down" && item instanceof Uint8Array) this.#inspector.delivered(wire, item);
    if (typeof item === "symbol") this.#supersede(wire);
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
      for (let { count } = this.router.calls; count > 0; count--) {
        isQuiet = false;
        this.endCall(0, "done");
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

  #track(call: Call, life: Life, channel: Channel, first: Message | undefined): void {
    const talk = new Talk(this, this.talks.length, call, life, channel);
    if (first !== undefined) talk.opener.sent.push(first);
    this.talks.push(talk);
    this.note(`${talk.toString()} opens${first === undefined ? "" : ` with ${describeMessage(first)}`}`);
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

  /** @returns `undefined` where no session that takes the protocol is known to the router */
  #calmOf({ name, instance, session }: Aimed, protocol: Protocol): Calm | undefined {
    const witness = this.lives.find(
      (life) =>
        life.name === name &&
        life.isSettled &&
        life.handles(protocol) &&
        (instance === "" || life.instance === instance) &&
        (session === anySession || life.id === session),
    );
    const settled = this.lives.filter((life) => life.name === name && life.isSettled);
    return witness && { witness, settled: new Map(settled.map((life) => [life, life.unrest])) };
  }

  /** Where a session that takes the protocol is there all the time, an open isn't refused because of others. */
  #checkCalm({ calm, to, talks }: Call, error: unknown): void {
    const { code } = error as ConnectionError;
    const isRefusal = code === "unknown-protocol" || code === "peer-absent";
    if (calm === undefined || !isRefusal || talks[0]?.opener.channel.start.home.hasStrayed === true) return;
    const { settled, witness } = calm;
    const isDisturbed = (life: Life): boolean => settled.get(life) !== life.unrest;
    if (isDisturbed(witness)) return;
    // An open goes on to another session once. Those that have begun, or ended, may have it first.
    const others = this.lives.filter((life) => life.name === to.name && isDisturbed(life));
    if (others.length <= 1)
      this.fail(`an open to "${to.name}" failed with "${code}", though a session is there that takes it`);
  }

  /** A wire takes an instance over, also where that of an older session comes last. */
  #supersede({ name, session, instance }: Pick<Wire, "name" | "session" | "instance">): void {
    for (const life of this.lives)
      if (life.name === name && life.instance === instance && instance !== "" && life.id !== session) life.doom();
  }

  #handle(life: Life, channel: Channel): void {
    const { peer, key, protocol } = channel;
    const session = channel.start.home.peer?.session;
    const talk = this.talks.find(
      ({ opener }) => opener.life.id === session && opener.channel.key === flipOpenerBit(key),
    );
    if (talk === undefined || talk.opener.life.name !== peer || talk.protocol !== protocol)
      throw new Error(`Nobody opened what ${life.toString()} got from "${peer}"`);
    if (channel.metadata["call"] !== String(talk.call.talks[0]?.id)) throw new Error(`${talk.toString()} is damaged`);
    this.note(`${life.toString()} handles ${talk.toString()}`);
    // The two opens of a call are for two sessions.
    if (talk.call.talks.some(({ acceptors }) => acceptors.some((end) => end.life === life)))
      this.fail(`${talk.toString()} is handled twice`);
    // As a client without a handler does.
    if (!life.handles(talk.protocol)) {
      channel.reject(errorCodes.unknownProtocol, "");
      return;
    }
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

/** The sessions that an open is for. */
function aimOf(world: World, { to, aim = "any", at = 0 }: Extract<Step, { do: "open" }>): Aimed {
  const name = pick(world.names, to) ?? "";
  const lives = world.lives.filter((life) => life.name === name);
  const life = pick(lives, at);
  return {
    name,
    instance: aim === "instance" ? (life?.instance ?? "") : "",
    session: aim === "session" ? (life?.id ?? anySession) : anySession,
  };
}

function shardOf(world: World, { shard = 0 }: { readonly shard?: number }): number {
  return shard % world.router.shards.length;
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
      if (life !== undefined) world.open(life, aimOf(world, step), step.protocol, step.first);
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
        world.talks.filter(({ isSecond, call }) => !isSecond && call.outcome === undefined),
        step.open,
      );
      if (talk !== undefined) world.giveUp(talk.call);
      break;
    }
    case "break": {
      const wire = pick(
        world.wires.filter((each) => each.isUp),
        step.wire,
      );
      if (wire === undefined) break;
      world.disturb(world.lives.find((life) => life.wires.includes(wire)));
      world.note(`${wire.toString()} breaks, noticed by ${step.noticed}`);
      if (step.noticed !== "client") wire.breakAtRouter(step.survivors);
      if (step.noticed !== "router") wire.breakAtClient(step.survivors);
      break;
    }
    case "stall":
    case "unstall": {
      const wire = pick(
        world.wires.filter((each) => each.isUp && each.isStalled === (step.do === "unstall")),
        step.wire,
      );
      if (wire === undefined) break;
      world.stall(wire, step.do === "stall");
      break;
    }
    case "kill":
      world.kill(shardOf(world, step), step.survivors);
      break;
    case "deploy": {
      const shard = shardOf(world, step);
      world.setVersion(shard, world.router.shards[shard]?.isOfAnotherVersion === false);
      world.kill(shard, step.survivors);
      break;
    }
    case "sleep":
      world.sleep(shardOf(world, step));
      break;
    case "alarm":
      world.router.alarm(shardOf(world, step));
      break;
    case "call":
      if (world.router.calls.count > 0) world.endCall(step.call % world.router.calls.count, step.fate);
      break;
    case "late":
      if (world.router.calls.lateCount > 0) {
        world.note("A call arrives late");
        world.router.calls.arriveLate(step.call % world.router.calls.lateCount);
      }
      break;
    case "restart": {
      const name = pick(world.names, step.who) ?? "";
      const life = world.lifeOf(name);
      if (step.saysBye) life?.bye();
      world.begin(name, life?.instance);
      break;
    }
    case "join":
      // Each needs time, and more than that find nothing more.
      if (world.lives.length < mostLives) world.begin(pick(world.names, step.who) ?? "", step.instance, step.says);
      break;
    case "vanish": {
      // Without a successor, others would wait for its session until their grace is over.
      const life = pick(
        world.lives.filter(({ isOver, instance }) => !isOver && (instance !== "" || world.isGraceShort)),
        step.who,
      );
      if (life !== undefined) world.vanish(life);
      break;
    }
    case "handle":
    case "unhandle": {
      const life = pick(
        world.lives.filter(({ isOver }) => !isOver),
        step.who,
      );
      if (life === undefined) break;
      world.disturb(life);
      world.note(`${life.toString()} ${step.do}s ${step.protocol}`);
      if (step.do === "handle") life.handle(step.protocol, step.isShared);
      else life.unhandle(step.protocol);
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
