import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { limits, routerAddress, type RouterFrame } from "@messagepasser/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { clientOf, ScriptedRouter, sessionOf } from "../../../test/support/scripted-router.ts";
import type { Client } from "../client.ts";
import { LinkError } from "../errors.ts";
import type { PeerChange } from "../presence.ts";

let router: ScriptedRouter;
let client: Client;

beforeEach(async () => {
  router = await ScriptedRouter.start();
  client = clientOf(router);
});

/** Sessions by name: `a` and `a2` are two of one name, and `a!` is `a` serving something. */
function present(request: number, ...names: string[]): RouterFrame[] {
  return names.map((name) => ({
    kind: "present",
    request,
    session: sessionOf(name.includes("2") ? 2 : 1),
    name: name.charAt(0),
    instance: "",
    sinceMs: 1,
    services: name.includes("!") ? ["chat"] : [],
  }));
}

function left(request: number, name: string): RouterFrame {
  return { kind: "left", request, session: sessionOf(name.includes("2") ? 2 : 1), name: name.charAt(0) };
}

function snapshot(request: number, ...names: string[]): RouterFrame[] {
  return [
    { kind: "snapshot", request, complete: 0 },
    ...present(request, ...names),
    { kind: "snapshot", request, complete: 1 },
  ];
}

/** What the client has asked for since the last call, as `watch 1 *`. */
async function asked(): Promise<string[]> {
  await router.turn();
  return router.said
    .splice(0)
    .flatMap((frame) =>
      frame.kind === "watch" || frame.kind === "unwatch"
        ? [frame.kind, frame.request, ...(frame.kind === "watch" ? [frame.pattern] : [])].join(" ")
        : [],
    );
}

/** What a loop was told, as `here a`. It reads when it is told to. */
class Loop {
  readonly changes: AsyncGenerator<PeerChange, undefined>;
  readonly outcomes: unknown[] = [];
  #isWaiting = false;

  constructor(pattern?: string, signal?: AbortSignal) {
    this.changes = client.watch(pattern, signal && { signal });
  }

  async #next(): Promise<void> {
    this.#isWaiting = true;
    try {
      const { done, value } = await this.changes.next();
      this.outcomes.push(done === true ? "end" : `${value.kind} ${value.name}${value.services.length > 0 ? "!" : ""}`);
    } catch (error) {
      this.outcomes.push(error);
    }
    this.#isWaiting = false;
  }

  /** The changes that a reader can take now, and how its loop ended. */
  async read(): Promise<unknown[]> {
    for (;;) {
      const before = this.outcomes.length;
      if (!this.#isWaiting) void this.#next();
      for (let hop = 0; hop < 9; hop++) await Promise.resolve();
      const last = this.outcomes.at(-1);
      if (this.outcomes.length === before || last === "end" || typeof last !== "string") return this.outcomes.splice(0);
    }
  }
}

describe("watch", () => {
  test("a loop is told what is there, who comes, serves something new, and goes", async () => {
    const loop = new Loop();
    expect(await loop.read()).toEqual([]);
    expect(await asked()).toEqual(["watch 1 *"]);
    router.say(routerAddress, ...snapshot(1, "a", "b"));
    expect(await loop.read()).toEqual(["here a", "here b"]);
    router.say(routerAddress, ...present(1, "c", "a!"), left(1, "b"));
    expect(await loop.read()).toEqual(["here c", "changed a!", "gone b"]);
  });

  test("several changes of a session that the loop has not read become one, or none", async () => {
    const loop = new Loop();
    await loop.read();
    router.say(routerAddress, ...snapshot(1, "a", "b", "c"));
    expect(await loop.read()).toEqual(["here a", "here b", "here c"]);
    router.say(routerAddress, left(1, "a"), ...present(1, "a"), ...present(1, "d"), left(1, "d"));
    router.say(routerAddress, ...present(1, "b!"), ...present(1, "b"), left(1, "c"), ...present(1, "c!"), left(1, "x"));
    expect(await loop.read()).toEqual(["changed c!"]);
  });

  test("a loop that reads nothing keeps nothing of sessions that came and left meanwhile", async () => {
    const loop = new Loop();
    await loop.read();
    router.say(routerAddress, ...snapshot(1, "a"));
    expect(await loop.read()).toEqual(["here a"]);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const usedBytes = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const name = "b".repeat(limits.maxNameBytes);
    const passBy = (count: number): void => {
      for (let from = 0; from < count; from += 100)
        router.say(
          routerAddress,
          ...Array.from({ length: 100 }, (_, at): RouterFrame[] => {
            const session = (from + at).toString(16).padStart(32, "f");
            const who = { request: 1, session, name };
            return [
              { kind: "present", ...who, instance: "", sinceMs: 1, services: [] },
              { kind: "left", ...who },
            ];
          }).flat(),
        );
    };
    passBy(1_000);
    const beforeBytes = usedBytes();
    passBy(20_000);
    expect(usedBytes() - beforeBytes).toBeLessThan(2_000_000);
    router.say(routerAddress, left(1, "a"));
    expect(await loop.read()).toEqual(["gone a"]);
  });

  test("two sessions of one name are told each for itself", async () => {
    const loop = new Loop();
    await loop.read();
    router.say(routerAddress, ...snapshot(1, "a", "a2"));
    expect(await loop.read()).toEqual(["here a", "here a"]);
    router.say(routerAddress, left(1, "a2"));
    expect(await loop.read()).toEqual(["gone a"]);
  });

  test("a new link tells a loop only the differences", async () => {
    const loop = new Loop();
    await loop.read();
    router.say(routerAddress, ...snapshot(1, "a", "b", "c"));
    await loop.read();
    await asked();
    router.loseLink();
    expect(await loop.read()).toEqual([]);
    router.restoreLink();
    expect(await asked()).toEqual(["watch 1 *"]);
    router.say(routerAddress, ...snapshot(1, "a", "c!", "d"));
    expect(await loop.read()).toEqual(["changed c!", "here d", "gone b"]);
  });

  test("a snapshot that is cut off by the link's end is told once it is whole", async () => {
    const loop = new Loop();
    await loop.read();
    router.say(routerAddress, ...snapshot(1, "a", "b"));
    await loop.read();
    router.loseLink();
    router.restoreLink();
    router.say(routerAddress, ...snapshot(1, "c").slice(0, 2));
    expect(await loop.read()).toEqual(["here c"]);
    router.loseLink();
    router.restoreLink();
    router.say(routerAddress, ...snapshot(1, "b"));
    expect(await loop.read()).toEqual(["gone a", "gone c"]);
  });

  test("loops of one pattern share one watch, which ends with the last of them", async () => {
    const [first, second] = [new Loop("a*"), new Loop("a*")];
    await first.read();
    router.say(routerAddress, ...snapshot(1, "a"));
    expect(await first.read()).toEqual(["here a"]);
    expect(await second.read()).toEqual(["here a"]);
    expect(await asked()).toEqual(["watch 1 a*"]);
    router.say(routerAddress, left(1, "a"));
    await first.read();
    const ends = [first.changes.return(undefined), second.changes.return(undefined)];
    // A loop that waits ends once there is something to tell.
    router.say(routerAddress, ...present(1, "a"));
    await Promise.all(ends);
    expect(await asked()).toEqual(["unwatch 1"]);
    router.say(routerAddress, ...present(1, "a"));
  });

  test("a loop that is left ends its watch", async () => {
    const reading = (async () => {
      for await (const { name } of client.watch()) if (name === "b") return name;
      return undefined;
    })();
    expect(await asked()).toEqual(["watch 1 *"]);
    router.say(routerAddress, ...snapshot(1, "a", "b"));
    expect(await reading).toBe("b");
    expect(await asked()).toEqual(["unwatch 1"]);
  });

  test("a signal ends a loop with its reason, whether or not the loop waits", async () => {
    const controller = new AbortController();
    const [loop, late] = [new Loop("*", controller.signal), new Loop("*", controller.signal)];
    await loop.read();
    controller.abort(new Error("enough"));
    expect(await loop.read()).toEqual([new Error("enough")]);
    expect(await asked()).toEqual(["watch 1 *", "unwatch 1"]);
    expect(await late.read()).toEqual([new Error("enough")]);
  });

  test("a client that closes ends its loops, and a later loop ends at once", async () => {
    const loop = new Loop();
    await loop.read();
    router.say(routerAddress, ...snapshot(1, "a"));
    await client.close({ deadlineMs: 0 });
    expect(await loop.read()).toEqual(["here a", "end"]);
    expect(await new Loop().read()).toEqual(["end"]);
  });

  test("a client that is ended by its router ends its loops with the error", async () => {
    const loop = new Loop();
    await loop.read();
    router.loseLink(4503);
    expect(await loop.read()).toEqual([expect.any(LinkError)]);
    expect(await new Loop().read()).toMatchObject([{ code: "revoked" }]);
  });

  test("one pattern more than a link may have is refused, and nothing of it is sent", async () => {
    for (let at = 0; at < limits.maxWatches; at++) await new Loop(`${at}`).read();
    await asked();
    expect(await new Loop("one more").read()).toEqual([expect.any(RangeError)]);
    expect(await new Loop("0").read()).toEqual([]);
    expect(await asked()).toEqual([]);
  });
});

describe("peers", () => {
  test("peers gives each name once, in order, and stops watching", async () => {
    const listing = client.peers();
    expect(await asked()).toEqual(["watch 1 *"]);
    router.say(routerAddress, ...snapshot(1, "b", "a", "a2"));
    expect(await listing).toEqual(["a", "b"]);
    expect(await asked()).toEqual(["unwatch 1"]);
  });

  test("peers with details gives each session", async () => {
    const listing = client.peers({ details: true });
    await asked();
    router.say(routerAddress, ...snapshot(1, "b", "a2", "a!"));
    const [two, one] = [sessionOf(2), sessionOf(1)];
    expect(await listing).toEqual([
      { name: "a", session: two, instance: "", services: [], sinceMs: 1 },
      { name: "a", session: one, instance: "", services: ["chat"], sinceMs: 1 },
      { name: "b", session: one, instance: "", services: [], sinceMs: 1 },
    ]);
  });

  test("peers without a link waits for one", async () => {
    router.loseLink();
    const listing = client.peers();
    router.restoreLink();
    expect(await asked()).toEqual(["watch 1 *"]);
    router.say(routerAddress, ...snapshot(1, "a"));
    expect(await listing).toEqual(["a"]);
  });

  test("peers beside a loop of the same pattern asks nothing, unless the link was lost since", async () => {
    const loop = new Loop();
    await loop.read();
    router.say(routerAddress, ...snapshot(1, "a"));
    await asked();
    expect(await client.peers()).toEqual(["a"]);
    router.loseLink();
    const listing = client.peers();
    router.restoreLink();
    router.say(routerAddress, ...snapshot(1, "b"));
    expect(await listing).toEqual(["b"]);
  });
});
