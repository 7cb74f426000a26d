import { errorCodes, goneReasons, openerBit, routerAddress } from "@messagepasser/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ScriptedRouter, sessionOf } from "../../../test/support/scripted-router.ts";
import { Connection } from "../connection/connection.ts";
import type { ConnectionStatus, Status } from "../status.ts";

// What a session says of its link, and its Connections of their peers. The router's grace is 1 s.

const start = new Date("2026-01-01T00:00:00Z");
const graceEnd = new Date("2026-01-01T00:00:01Z");
const [online, closed] = [{ kind: "online" }, { kind: "closed" }];
const away = { kind: "away", until: graceEnd };
const offline = { kind: "offline", until: graceEnd };

let router: ScriptedRouter;
let connection: Connection;
let told: ConnectionStatus[];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: start });
  router = await ScriptedRouter.start();
  router.open(1, 1);
  await router.turn();
  const [channel] = router.incoming;
  if (channel === undefined) throw new Error("No open came");
  connection = new Connection(channel);
  told = [];
  connection.onStatus = (status) => void told.push(status);
  router.acceptAll();
});

afterEach(() => {
  vi.useRealTimers();
});

const lose = (reason: number = goneReasons.lost): void => {
  router.say(routerAddress, { kind: "gone", address: 1, reason });
};
const bringBack = (address = 2): void => {
  router.say(routerAddress, { kind: "paired", address, session: sessionOf(1), peer: "peer-1" });
};

test("a session tells of its first link, of each loss, and of its end, and can be asked for the last of these", async () => {
  const own = new ScriptedRouter();
  const all: Status[] = [];
  own.onStatus = (status) => void all.push(status);
  own.welcome();
  expect([all, own.session.status]).toEqual([[online], online]);
  own.loseLink();
  expect(own.session.status).toMatchObject({ kind: "offline", error: { code: "link-lost" }, retryInMs: 250 });
  own.restoreLink();
  expect(own.session.status).toEqual(online);
  own.session.drop("enough");
  expect([all.map(({ kind }) => kind), own.session.status]).toEqual([
    ["online", "offline", "online", "closed"],
    closed,
  ]);
});

test("a peer that comes back is no status of the own link", async () => {
  lose();
  bringBack();
  expect(router.session.status).toEqual(online);
});

test("a Connection tells that its peer is away, until when it waits, and that the peer is back", () => {
  expect(connection.status).toEqual(online);
  lose();
  expect(connection.status).toEqual(away);
  bringBack();
  expect(connection.status).toEqual(online);
  expect(told).toEqual([away, online]);
});

test("a Connection from here tells the same", async () => {
  const channel = router.session.open("peer-1", "p");
  const opened = new Connection(channel);
  expect(opened.status).toEqual(online);
  router.say(routerAddress, {
    kind: "routed",
    connection: channel.key,
    address: 1,
    session: sessionOf(1),
    peer: "peer-1",
  });
  router.say(1, { kind: "credit", connection: channel.key, received: 0, limit: 1_000 });
  await router.turn();
  lose();
  expect([opened.status, connection.status]).toEqual([away, away]);
});

test("a Connection tells apart a lost link of its own from that of its peer, and its wait is one", async () => {
  router.loseLink();
  expect(connection.status).toEqual(offline);
  vi.setSystemTime(new Date("2026-01-01T00:00:00.500Z"));
  router.restoreLink();
  // The router has still to say whether the peer is there.
  expect(connection.status).toEqual(offline);
  const absent = { kind: "absent", session: sessionOf(1), peer: "peer-1", reason: goneReasons.lost } as const;
  router.say(routerAddress, absent);
  router.say(routerAddress, absent);
  expect(connection.status).toEqual(away);
  router.loseLink();
  router.restoreLink();
  bringBack();
  expect(told).toEqual([offline, away, offline, online]);
});

test("a Connection whose peer isn't back in time tells that it is closed, once", async () => {
  lose();
  await router.advance(1_001);
  expect(connection.status).toEqual(closed);
  bringBack();
  lose();
  expect(told).toEqual([away, closed]);
});

test("a Connection that the peer resets tells that it is closed", async () => {
  router.say(1, { kind: "reset", connection: (1 | openerBit) >>> 0, code: errorCodes.aborted, reason: "" });
  await connection.closed;
  expect([connection.status, told]).toEqual([closed, [closed]]);
});

test("a callback replaces the one before it, and undefined takes it away", async () => {
  const later: ConnectionStatus[] = [];
  const onStatus = (status: ConnectionStatus): void => void later.push(status);
  connection.onStatus = onStatus;
  expect(connection.onStatus).toBe(onStatus);
  lose();
  connection.onStatus = undefined;
  bringBack();
  connection.onStatus = onStatus;
  connection.abort();
  await connection.closed;
  expect([told, later]).toEqual([[], [away, closed]]);
});

test("a callback that is no function is refused", () => {
  expect(() => {
    connection.onStatus = "log" as never;
  }).toThrow(TypeError);
});

test("a callback that throws keeps no other Connection from being told", async () => {
  const thrown = new Promise((resolve) => process.once("uncaughtException", resolve));
  const slip = new Error("a slip of the program's");
  router.open(1, 2);
  await router.turn();
  const [channel] = router.incoming;
  if (channel === undefined) throw new Error("No open came");
  router.acceptAll();
  connection.onStatus = () => {
    throw slip;
  };
  new Connection(channel).onStatus = (status) => void told.push(status);
  lose();
  expect(await thrown).toBe(slip);
  expect(told).toEqual([away]);
});
