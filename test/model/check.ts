import { anySession } from "@messagepasser/protocol";
import { areAllCommonsFree, areCommonsSeen } from "./life.ts";
import type { Call, End, Talk } from "./talk.ts";
import type { World } from "./world.ts";

/** Longer than anything takes that has not failed: a dead link is noticed in 35 s, and dialled again within 30 s. */
const longestMs = 300_000;
/** How long a program waits for an answer. */
const patienceMs = 10_000;
/** By then every dead link is noticed, and there is another one. */
const deadLinkMs = 70_000;

/** The errors that programs get where a peer's session, or their own, has ended. */
const codesOfLoss = ["peer-gone", "link-lost"];
/** Every error that ends a Connection between honest ends whose programs do only what they do here. */
const honestCodes = new Set([
  ...codesOfLoss,
  "peer-absent",
  "unknown-protocol",
  "aborted",
  "rejected",
  "open-timed-out",
  "closed",
]);

/** Nothing breaks any more and all programs come to an end: then nothing may be left, and nothing may be missing. */
export async function finish(world: World): Promise<void> {
  for (const wire of world.wires) wire.isStalled = false;
  world.router.calls.forgetLate();
  for (const [number, shard] of world.router.shards.entries())
    if (shard.isOfAnotherVersion) {
      world.setVersion(number, false);
      world.kill(number, 0);
    }
  await endAll(world);
  checkTalks(world);
  await world.pass(deadLinkMs, true);
  await endAll(world);
  checkNothingLeft(world);

  // All of them can still reach each other. Those whose grace was over hear of it now.
  const lastTalks = world.talks.length;
  for (const life of world.lives) {
    if (life.isOver) continue;
    for (const name of world.names) world.open(life, { name, instance: "", session: anySession }, "answer", 10);
  }
  await endAll(world);
  checkTalks(world);
  checkNothingLeft(world);
  for (const talk of world.talks.slice(lastTalks)) {
    const { name } = talk.call.to;
    if (world.lives.some((life) => !life.isOver && life.name === name && life.handles("answer"))) checkGood(talk);
    else if (talk.outcome?.error?.code !== "unknown-protocol") throw new Error(`Nobody handles ${talk.toString()}`);
  }
  if (!areCommonsSeen()) throw new Error("Nothing was seen of what is kept and granted");

  for (const { session } of world.lives) session.bye();
  await world.flow();
  for (const life of world.lives) {
    if (!life.isOver) world.fail(`${life.toString()} has said bye and is not over`);
    if (world.time.timersOf(life) > 0) world.fail(`${life.toString()} is over and has timers`);
  }
  await world.settle();
}

/** Ends everything, and waits until nothing moves any more. */
async function endAll(world: World): Promise<void> {
  const fromMs = world.time.nowMs;
  for (;;) {
    await world.flow();
    succeed(world);
    const untilMs = fromMs + longestMs + (isSomebodyMissed(world) ? world.graceMs : 0);
    if (world.time.nowMs > fromMs + patienceMs)
      for (const { call } of world.talks) if (call.outcome === undefined && isInVain(world, call)) world.giveUp(call);
    for (const end of world.ends) {
      if (end.isWaiting) world.decide(end, true);
      if (end.isUsable) end.end();
      // Messages that arrived can be received even when the Connection is over.
      if (end.isOpen && !end.hasClosed) end.receive(true);
    }
    await world.flow();
    if (isQuiet(world)) return;
    if (world.time.nowMs >= untilMs) throw new Error(`Not over: ${describeUnrest(world)}`);
    world.time.step(untilMs);
  }
}

/** The router is told of sockets whose clients are gone, and each instance and each name has a session again. */
function succeed(world: World): void {
  for (const { isOver, name, instance, wires } of world.lives) {
    if (!isOver) continue;
    for (const wire of wires) wire.breakAtRouter(0);
    if (instance !== "" && !hasLife(world, name, instance)) world.begin(name, instance);
  }
  for (const name of world.names) if (!hasLife(world, name)) world.begin(name);
}

/** Whether others may wait for a session that is over until their grace is. Its successor would have told them, if it had one. */
function isSomebodyMissed({ lives }: World): boolean {
  return lives.some(({ isOver, instance }) => isOver && instance === "");
}

/** Whether an open waits, until its own time is over, for a session that may not come back. */
function isInVain(world: World, { to: { name, instance, session }, talks }: Call): boolean {
  // The second open of a call may have got to a session that isn't there any more.
  if (talks.length > 1 && talks[0]?.outcome?.error !== undefined) return true;
  return !world.lives.some(
    (life) =>
      life.name === name &&
      !life.isDoomed &&
      (instance === "" || life.instance === instance) &&
      (session === anySession ? talks.some(({ protocol }) => life.handles(protocol)) : life.id === session),
  );
}

function hasLife(world: World, name: string, instance?: string): boolean {
  return world.lives.some(
    (life) => life.name === name && !life.isOver && (instance === undefined || life.instance === instance),
  );
}

/** Whether all clients are online and nobody waits for anything but the next heartbeat. */
function isQuiet(world: World): boolean {
  return (
    world.pending.size === 0 &&
    world.router.isIdle &&
    world.lives.every((life) => life.isOver || (life.isOnline && world.time.timersOf(life) === 1))
  );
}

function describeUnrest(world: World): string {
  const lives = world.lives.map((life) => `${life.toString()} has ${world.time.timersOf(life)} timers`);
  return [...world.pending, ...lives].join(", ");
}

function checkNothingLeft(world: World): void {
  for (const life of world.lives) {
    const maySupersede = life.instance !== "" && life.error?.code === "superseded";
    if (life.error !== undefined && life.wasOnline && !maySupersede)
      throw new Error(`${life.toString()} ended with ${life.error.message}`);
    for (const channel of life.session.channels()) {
      const talk = world.talks.find(({ ends }) => ends.some((end) => end.channel === channel));
      // An end whose grace is over may miss the answer; then it keeps its last frame in case the peer comes back.
      if (!(world.isGraceShort || isSomebodyMissed(world)) || !channel.isOver)
        throw new Error(`${life.toString()} still has ${String(talk)}`);
    }
  }
  // What had arrived on Connections that failed is nobody's to read any more.
  for (const { channel } of world.ends) channel.receiver.drop();
  if (!areAllCommonsFree()) throw new Error("Something is still kept or granted");
}

function checkTalks(world: World): void {
  // Where an object asks another one nothing for a while.
  const codes = world.router.shards.length > 1 ? new Set([...honestCodes, "busy"]) : honestCodes;
  for (const talk of world.talks) {
    const { outcome } = talk;
    if (outcome === undefined) throw new Error(`${talk.toString()} has no outcome`);
    for (const code of [
      outcome.error?.code,
      ...talk.ends.flatMap((end) => [end.closed?.error?.code, ...end.failures]),
    ]) {
      if (code !== undefined && !codes.has(code)) throw new Error(`${talk.toString()} met "${code}"`);
    }
    const isNotThere = outcome.error?.code === "peer-absent" || outcome.error?.code === "busy";
    if (isNotThere && talk.acceptors.length > 0)
      throw new Error(`${talk.toString()} was handled, though its opener was told that nobody is there`);
    if (world.isGraceShort || wasLost(world, talk)) continue;
    const { acceptor } = talk;
    // By the router. Another session may refuse an open that is sent again.
    const isRefused = outcome.error?.code === "unknown-protocol" && talk.opener.channel.start.home.peer === undefined;
    if (isRefused && acceptor !== undefined)
      throw new Error(`${talk.toString()} was handled, though its opener was told that nobody takes it`);
    if (isNotThere || outcome.error?.code === "unknown-protocol") continue;
    for (const end of talk.acceptors) if (end !== acceptor) checkLeft(talk, end);
    if (acceptor === undefined) {
      if (outcome.error?.code !== "open-timed-out") throw new Error(`${talk.toString()} was not handled`);
    } else if (talk.ends.some((end) => end.hasAborted)) checkAborted(talk, acceptor);
    else checkGood(talk);
  }
}

/** Whether the opener's session is over, or was for a while as good as over, or one of those that may have got the open. */
function wasLost(world: World, { opener, call: { to } }: Talk): boolean {
  return (
    opener.life.isDoomed ||
    world.lives.some(
      ({ isDoomed, name, id }) => isDoomed && name === to.name && (to.session === anySession || to.session === id),
    )
  );
}

/**
 * An open that is sent again, since nobody knows who got it, may get to another session of the name. Then the one that got it
 * first hears that its Connection is over.
 */
function checkLeft(talk: Talk, end: End): void {
  if (talk.opener.channel.opens < 2) throw new Error(`${talk.toString()} was sent once, and handled by two sessions`);
  if (end.closed?.error === undefined && !end.hasClosed)
    throw new Error(`${end.toString()} ended well beside another end of ${talk.toString()}`);
}

function checkAborted(talk: Talk, acceptor: End): void {
  const codes = new Set(["aborted", "rejected", "open-timed-out"]);
  // The opener may have given up before it knew who had got the open, and then knows nothing of the Connection.
  const isForgotten = talk.opener.closed?.error?.code === "open-timed-out";
  for (const end of [talk.opener, acceptor]) {
    const code = end.closed?.error?.code ?? "none";
    if (codes.has(code) || (isForgotten && end === acceptor && code === "peer-gone")) continue;
    // The word of the abort may be lost, and not said again to who was done before.
    const wasDone = end.hasClosed || (end.hasEnded && end.hasEndOfMessages);
    if (code !== "none" || !wasDone || end.hasAborted)
      throw new Error(`${end.toString()} was aborted, and ended with "${code}"`);
  }
}

/** Nothing is missing, and all ended well. */
function checkGood(talk: Talk): void {
  const { acceptor } = talk;
  if (acceptor === undefined || talk.outcome?.error !== undefined)
    throw new Error(`${talk.toString()} is not open: ${String(talk.outcome?.error)}`);
  const { opener } = talk;
  for (const [end, other] of [
    [opener, acceptor],
    [acceptor, opener],
  ] as const) {
    if (end.closed?.error !== undefined) throw new Error(`${end.toString()} ended with ${end.closed.error.message}`);
    if (!end.hasClosed && (!end.hasEndOfMessages || end.received !== other.sent.length))
      throw new Error(`${end.toString()} got ${end.received} of ${other.sent.length} messages`);
    // Calls fail where one end closes, and only there.
    if (end.failures.size > 0 && !end.hasClosed && !other.hasClosed)
      throw new Error(`${end.toString()} met ${[...end.failures].join(", ")}`);
  }
}
