import { type Client, connect, LinkError, type Status } from "messagepasser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NetworkPath } from "./proxy.ts";
import { failureOf, type Realm, startRealm } from "./realm.ts";
import { startSide, StatusLog } from "./side.ts";

// Routers and peers that are not there yet, and more opens at once than a peer holds.

let realm: Realm;
let alice: Client;
let bob: Client;

beforeAll(async () => {
  realm = await startRealm();
  [alice, bob] = await Promise.all([realm.connect("alice"), realm.connect("bob")]);
});

afterAll(async () => {
  await Promise.all([alice.close(), bob.close()]);
  await realm[Symbol.asyncDispose]();
});

describe("a router that is not there yet", () => {
  test("a client that retries connects as soon as the router is there, and tells about each attempt", async () => {
    await using path = await NetworkPath.to(realm.router.url);
    path.break();
    const statuses = new StatusLog();
    const { onStatus } = statuses;
    const connecting = connect(path.url, {
      name: "carol",
      secret: await realm.secretOf("carol"),
      retry: true,
      onStatus,
    });
    const { error, retryInMs } = await statuses.next("offline");
    expect([error.code, error.shouldRetry(), retryInMs < 500]).toEqual(["unreachable", true, true]);
    await statuses.next("offline");
    path.mend();
    await using carol = await connecting;
    expect(statuses.kinds.at(-1)).toBe("online");
    expect(await carol.peers()).toContain("carol");
  });

  test("a client that retries gives up after its time, and says what the last attempt failed with", async () => {
    await using path = await NetworkPath.to(realm.router.url);
    path.break();
    const options = { name: "carol", secret: await realm.secretOf("carol"), retry: true, timeoutMs: 700 };
    const error = await failureOf(connect(path.url, options));
    expect(error).toBeInstanceOf(LinkError);
    expect(error).toMatchObject({ code: "unreachable", message: expect.stringContaining("700 ms") as string });
  });

  test("a client that retries gives up after its time also while an attempt is under way", async () => {
    await using path = await NetworkPath.to(realm.router.url);
    path.hold("down");
    const options = { name: "carol", secret: await realm.secretOf("carol"), retry: true, timeoutMs: 300 };
    expect(await failureOf(connect(path.url, options))).toMatchObject({ code: "unreachable" });
  });

  test("a client that retries stops at a signal, and at an answer that no retry can change", async () => {
    await using path = await NetworkPath.to(realm.router.url);
    path.break();
    const secret = await realm.secretOf("carol");
    const abort = new AbortController();
    const onStatus = (status: Status): void => {
      if (status.kind === "offline") abort.abort(new Error("enough"));
    };
    const aborted = connect(path.url, { name: "carol", secret, retry: true, onStatus, signal: abort.signal });
    expect(await failureOf(aborted)).toBe(abort.signal.reason);
    const refused = connect(realm.router.url, { name: "carol", secret: `${secret}x`, retry: true });
    expect(await failureOf(refused)).toMatchObject({ code: "unauthorized" });
  });
});

describe("a peer that is not there yet", () => {
  test("an open that waits reaches a peer that connects later", async () => {
    const opening = alice.open("dave", "later", { waitMs: 30_000, first: "hello" });
    await using dave = await realm.connect("dave");
    const got = Promise.withResolvers<unknown>();
    dave.handle("later", async (connection) => {
      got.resolve(await connection.receive());
    });
    await opening;
    expect(await got.promise).toBe("hello");
  });

  test("an open that waits reaches a peer whose link comes and goes", async () => {
    await using side = await startSide(realm, "erin");
    side.client.handle("later", () => undefined);
    for (let round = 0; round < 2; round++) {
      side.path.break();
      const opening = alice.open("erin", "later", { waitMs: 30_000 });
      await side.statuses.next("offline");
      side.path.mend();
      await (await opening).close();
    }
  });

  test("an open that waits in vain fails with the peer's absence", async () => {
    expect(await failureOf(alice.open("nobody", "later", { waitMs: 300 }))).toMatchObject({ code: "peer-absent" });
    expect(await failureOf(alice.open("nobody", "later"))).toMatchObject({ code: "peer-absent" });
  });
});

describe("a burst of opens", () => {
  test.each([
    ["without a first message", undefined],
    ["with a first message of 16 KiB", new Uint8Array(16_384)],
  ])("two thousand opens at once to one peer, %s, all succeed", async (_, first) => {
    bob.handle("burst", async (connection) => {
      await connection.close();
    });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 2_000 }, async () => {
        const connection = await alice.open("bob", "burst", first === undefined ? {} : { first });
        await connection.close();
      }),
    );
    const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? String(outcome.reason) : []));
    expect(failures).toEqual([]);
  });
});
