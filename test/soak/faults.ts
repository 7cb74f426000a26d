// The faults that the soak makes. Each strikes something, at once or within a moment, and says what it was.
import { setTimeout as delay } from "node:timers/promises";
import { attack, type Attacker, attackKinds } from "./attacks.ts";
import type { Clients } from "./clients.ts";
import type { Gate } from "./gate.ts";
import type { Random } from "./random.ts";
import type { Router } from "./router.ts";
import { type CutKind, type Way, ways, type Wire } from "./wire.ts";

/** Everything that a fault can strike, and the dice for it. */
export interface Scene {
  readonly random: Random;
  readonly gates: readonly Gate[];
  readonly router: Router;
  readonly processes: readonly Clients[];
  readonly attacker: Attacker;
  /** Fires when faults must end: those that last undo themselves then. */
  readonly over: AbortSignal;
  /** Tells of a fault that has struck. */
  readonly struck: (fault: Struck) => void;
}

export interface Struck {
  readonly kind: FaultKind;
  readonly what: string;
  /** The client that is struck; all clients, if it's the router. */
  readonly clients: readonly string[] | "all";
}

export type FaultKind = keyof typeof weights;

/** How often each kind comes. */
export const weights = {
  drop: 54,
  dropSeveral: 8,
  dropAll: 2,
  shut: 3,
  rubbish: 6,
  intercept: 3,
  stall: 13,
  swallow: 5,
  longStall: 0.5,
  sleep: 2,
  clock: 2,
  attack: 8,
  hibernate: 10,
  evict: 2,
  abort: 2,
  lose: 6,
  kill: 1.5,
};

export const faultKinds = Object.keys(weights) as readonly FaultKind[];

/** Past this a client gives its link up, though nobody has cut it. */
const livenessMs = 35_000;
/** A cut that waits for so many bytes comes after so long at the latest. */
const cutDeadlineMs = 1_500;

/** What gates, portals and servers on the way answer: never the router's own word. */
const rubbish = [
  "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<h1>Sign in</h1>",
  "HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\nContent-Length: 0\r\n\r\n",
  'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="gate"\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{"code":"unauthorized"}',
  "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 9999999\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 503 Service Unavailable\r\nRetry-After: -100\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  "SSH-2.0-OpenSSH_9.9\r\n",
  "",
] as const;

/** Resolves when the fault is over, or, if there was nothing to strike, at once. */
export const faults: Readonly<Record<FaultKind, (scene: Scene) => Promise<void>>> = {
  drop: async (scene) => {
    const gate = target(scene);
    if (gate !== undefined) await drop(scene, "drop", [gate]);
  },

  dropSeveral: async (scene) => {
    const gates = upOf(scene);
    const count = scene.random.integer(2, Math.max(2, Math.floor(gates.length / 2)));
    await drop(scene, "dropSeveral", shuffled(scene, gates).slice(0, count));
  },

  dropAll: (scene) => drop(scene, "dropAll", upOf(scene)),

  /** Cuts, and lets the client not come back at once. */
  shut: async (scene) => {
    const gate = target(scene);
    if (gate === undefined) return;
    const ms = scene.random.logarithmic(500, 8_000);
    gate.shut(true);
    strike(scene, "shut", [gate], `cut, and kept out for ${ms} ms`);
    for (const wire of gate.wires) wire.cut("reset");
    await pause(scene, ms);
    gate.shut(false);
  },

  /** Something on the way answers instead of the router. */
  rubbish: async (scene) => {
    const gate = target(scene);
    if (gate === undefined) return;
    const ms = scene.random.logarithmic(300, 4_000);
    const answer = scene.random.pick(rubbish);
    gate.answerWith(answer);
    strike(scene, "rubbish", [gate], `cut, and answered ${JSON.stringify(answer.slice(0, 40))} for ${ms} ms`);
    for (const wire of gate.wires) wire.cut("reset");
    await pause(scene, ms);
    gate.answerWith(undefined);
  },

  /** Somebody on the way presents a certificate that the client doesn't trust. */
  intercept: async (scene) => {
    const gate = target(scene, ({ front }) => front !== undefined);
    if (gate === undefined) return;
    const ms = scene.random.logarithmic(300, 4_000);
    gate.front?.present("foreign");
    strike(scene, "intercept", [gate], `cut, and another certificate for ${ms} ms`);
    for (const wire of gate.wires) wire.cut("reset");
    await pause(scene, ms);
    gate.front?.present("own");
  },

  /** A laptop sleeps: nothing of some clients runs, and then all their timers are late. */
  sleep: async (scene) => {
    const process = scene.random.pick(scene.processes);
    const ms = scene.random.logarithmic(500, 6_000);
    scene.struck({ kind: "sleep", what: `the process stopped for ${ms} ms`, clients: process.names });
    process.pause();
    await pause(scene, ms);
    process.continue();
  },

  /** The router's clock is set: forwards, backwards, by a moment or by days. */
  clock: async (scene) => {
    const { random, router } = scene;
    const ms = (random.chance(0.5) ? 1 : -1) * random.logarithmic(500, 200_000_000);
    if (router.isUp && (await router.moveClock(ms)))
      strike(scene, "clock", "all", `the router's clock moved by ${ms} ms`);
  },

  /** One client of the realm means harm. */
  attack: async (scene) => {
    const { random, attacker, over } = scene;
    const kind = random.pick(attackKinds);
    const ms = random.logarithmic(300, 5_000);
    scene.struck({ kind: "attack", what: `${kind} for ${ms} ms`, clients: "all" });
    await attack(kind, attacker, random, AbortSignal.any([over, AbortSignal.timeout(ms)]));
  },

  stall: async (scene) => {
    const ms = scene.random.logarithmic(100, 9_000);
    await stall(scene, "stall", ms);
  },

  longStall: async (scene) => {
    const ms = livenessMs + scene.random.integer(1_000, 15_000);
    await stall(scene, "longStall", ms);
  },

  /** A half-open link: bytes vanish on the way, and only later it is cut. */
  swallow: async (scene) => {
    const gate = target(scene);
    if (gate === undefined) return;
    const ms = scene.random.logarithmic(50, 8_000);
    const swallowed = someWays(scene.random);
    const kind = cutKind(scene.random);
    strike(scene, "swallow", [gate], `bytes ${swallowed.join(" and ")} vanish for ${ms} ms, then ${kind}`);
    const { wires } = gate;
    for (const wire of wires) for (const way of swallowed) wire.swallow(way);
    await pause(scene, ms);
    for (const wire of wires) wire.cut(kind);
  },

  hibernate: async (scene) => {
    const shard = anyShard(scene);
    if (scene.router.isUp && (await scene.router.evict("hibernate", shard)))
      strike(scene, "hibernate", "all", `shard ${shard} hibernated`);
  },

  evict: async (scene) => {
    const shard = anyShard(scene);
    if (scene.router.isUp && (await scene.router.evict("close", shard)))
      strike(scene, "evict", "all", `shard ${shard} evicted with a close`);
  },

  abort: async (scene) => {
    const shard = anyShard(scene);
    if (scene.router.isUp && (await scene.router.abort(shard)))
      strike(scene, "abort", "all", `the object of shard ${shard} aborted`);
  },

  /** Calls between shards get no answer; past seven in turn the trunk breaks. */
  lose: async (scene) => {
    const shard = anyShard(scene);
    const count = scene.random.integer(1, 10);
    if (scene.router.isUp && (await scene.router.loseCalls(shard, count)))
      strike(scene, "lose", "all", `shard ${shard} lost ${count} calls`);
  },

  kill: async (scene) => {
    if (!scene.router.isUp) return;
    strike(scene, "kill", "all", "the router killed");
    await scene.router.kill();
  },
};

function anyShard({ random, router }: Scene): number {
  return random.integer(0, router.shards - 1);
}

async function drop(scene: Scene, kind: FaultKind, gates: readonly Gate[]): Promise<void> {
  if (gates.length === 0) return;
  const cut = cutKind(scene.random);
  const way = scene.random.pick(ways);
  const bytes = scene.random.chance(0.2) ? 0 : scene.random.logarithmic(1, 200_000);
  const struck = await Promise.all(
    gates.flatMap(({ name, wires }) =>
      wires.map(async (wire) => ((await cutAfter(scene, wire, bytes, way, cut)) ? name : "")),
    ),
  );
  const names = gates.filter(({ name }) => struck.includes(name));
  if (names.length > 0) strike(scene, kind, names, `${cut} after ${bytes} bytes ${way}`);
}

/** False if the wire was gone before. */
async function cutAfter(scene: Scene, wire: Wire, bytes: number, way: Way, kind: CutKind): Promise<boolean> {
  const cut = Promise.withResolvers<boolean>();
  if (bytes > 0) {
    wire.cutAfter(bytes, way, kind, () => {
      cut.resolve(true);
    });
    await Promise.race([cut.promise, wire.closed, pause(scene, cutDeadlineMs)]);
  }
  if (wire.isWhole) {
    wire.cut(kind);
    cut.resolve(true);
  }
  cut.resolve(false);
  return cut.promise;
}

async function stall(scene: Scene, kind: FaultKind, ms: number): Promise<void> {
  const gate = target(scene);
  if (gate === undefined) return;
  const { random } = scene;
  const stalled = someWays(random);
  const then = random.chance(0.5) ? "goes on" : cutKind(random);
  strike(scene, kind, [gate], `nothing moves ${stalled.join(" and ")} for ${ms} ms, then ${then}`);
  const { wires } = gate;
  for (const wire of wires) for (const way of stalled) wire.stall(way, true);
  await pause(scene, ms);
  for (const wire of wires) {
    if (then !== "goes on") wire.cut(then);
    for (const way of stalled) wire.stall(way, false);
  }
}

function strike({ struck }: Scene, kind: FaultKind, gates: readonly Gate[] | "all", what: string): void {
  struck({ kind, what, clients: gates === "all" ? "all" : gates.map(({ name }) => name) });
}

/** One of those who have a link. */
function target(scene: Scene, fits: (gate: Gate) => boolean = () => true): Gate | undefined {
  const gates = upOf(scene).filter(fits);
  return gates.length === 0 ? undefined : scene.random.pick(gates);
}

function upOf({ gates }: Scene): Gate[] {
  return gates.filter(({ wires }) => wires.length > 0);
}

function shuffled({ random }: Scene, gates: readonly Gate[]): Gate[] {
  const keys = new Map(gates.map((gate) => [gate, random.fraction()]));
  return gates.toSorted((one, other) => (keys.get(one) ?? 0) - (keys.get(other) ?? 0));
}

function cutKind(random: Random): CutKind {
  return random.chance(0.6) ? "reset" : "end";
}

function someWays(random: Random): readonly Way[] {
  return random.chance(0.3) ? ways : [random.pick(ways)];
}

/** Waits, but no longer than faults may last. */
async function pause({ over }: Scene, ms: number): Promise<void> {
  await delay(ms, undefined, { signal: over }).catch(() => undefined);
}
