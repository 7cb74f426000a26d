import { encodeBatch, errorCodes, goneReasons, limits, openerBit, routerAddress } from "@messagepasser/protocol";
import { native } from "@messagepasser/protocol/formats";
import { beforeEach, describe, expect, test } from "vitest";
import { batchOf as segmentOf } from "../../../src/routing/encoding.ts";
import { type Answer, ScriptedRouter, sessionOf } from "../../../test/support/scripted-router.ts";
import type { Channel } from "../connection/channel.ts";

// Peers that harm a session: on purpose, or since their links are bad.

let router: ScriptedRouter;

beforeEach(async () => {
  router = await ScriptedRouter.start();
});

/** As a peer calls a Connection that it opened. */
function opened(connection: number): number {
  return (connection | openerBit) >>> 0;
}

/** A Connection from here to a peer, which takes so much. */
async function openTo(peer: number, limit: number): Promise<Channel> {
  const channel = router.session.open(`peer-${peer}`, "p");
  await router.turn();
  const { key: connection, peer: label } = channel;
  router.say(routerAddress, { kind: "routed", connection, address: peer, session: sessionOf(peer), peer: label });
  router.say(peer, { kind: "credit", connection: channel.key, received: 0, limit });
  await router.turn();
  return channel;
}

function limitsOf(answers: readonly Answer[]): number[] {
  return answers.flatMap(({ frame }) => (frame.kind === "credit" ? [frame.limit] : []));
}

describe("peers that went away and never came back", () => {
  test("peers that went away for good leave room for others, however many Connections they had", async () => {
    router.session.onIncoming = (channel) => {
      channel.reject(errorCodes.unknownProtocol, "");
    };
    const perPeer = limits.maxConnectionsPerPeer;
    for (let peer = 1; peer * perPeer < limits.maxConnections + perPeer; peer++) {
      for (let connection = 1; connection <= perPeer; connection++) {
        router.open(peer, connection);
        if (connection % limits.maxPendingOpens === 0) await router.turn();
      }
      await router.turn();
      router.say(routerAddress, { kind: "gone", address: peer, reason: goneReasons.lost });
      await router.advance(2_000);
    }
    router.session.onIncoming = (channel) => {
      channel.accept();
    };
    router.open(99, 1);
    expect(await router.turn()).toMatchObject([{ address: 99, frame: { kind: "credit" } }]);
  });
});

describe("a FIN that comes right after an open", () => {
  /** What comes on a Connection while its opens are under way, and after which there is no more. */
  const withFin = async (count: number): Promise<void> => {
    for (let connection = 1; connection <= count; connection++) router.open(1, connection);
    await router.turn();
    router.acceptAll();
    for (let connection = 1; connection <= count; connection++)
      router.say(1, { kind: "fin", connection: opened(connection), offset: 0 });
  };

  test("a FIN that comes right after an open gives back to others all that was granted", async () => {
    const channels: Channel[] = [];
    router.session.onIncoming = (channel) => {
      channels.push(channel);
      channel.accept();
    };
    await withFin(200);
    for (const channel of channels) void channel.end(undefined);
    await router.turn();
    for (let connection = 1; connection <= 200; connection++)
      router.say(1, { kind: "done", connection: opened(connection) });
    const count = 300;
    for (let connection = 1; connection <= count; connection++) router.open(2, connection);
    const granted = limitsOf(await router.turn());
    expect(granted).toHaveLength(count);
    const beyondTheSmallest = granted.reduce((sum, limit) => sum + (limit > limits.minWindowBytes ? limit : 0), 0);
    expect(beyondTheSmallest).toBeLessThanOrEqual(limits.maxBudgetBytes);
  });
});

test("after changed rules a session asks only about Connections that still go on", async () => {
  router.session.onIncoming = (channel) => {
    if (channel.protocol === "wanted") channel.accept();
    else channel.reject(errorCodes.unknownProtocol, "");
  };
  for (let connection = 1; connection <= 1_000; connection++)
    router.open(1, connection, undefined, connection === 500 ? "wanted" : `p${connection}`);
  await router.turn();
  router.said.length = 0;
  router.say(routerAddress, { kind: "rulesChanged", address: 1 });
  await router.turn();
  expect(router.said).toEqual([{ kind: "check", address: 1, opener: 0, protocol: "wanted" }]);
});

test("a session receives nothing more of a peer that sent too much without counting", async () => {
  router.open(1, 1);
  await router.turn();
  const [channel] = router.incoming;
  channel?.accept();
  const payload = new Uint8Array(65_000);
  const data = { kind: "data", connection: opened(1), last: true, text: false, offset: undefined, payload } as const;
  for (let bytes = 0; bytes < limits.maxUncountedBytes; bytes += payload.length)
    router.sends(segmentOf(native, 1, [data]));
  await expect(channel?.receiver.receive(undefined)).rejects.toMatchObject({ code: "overrun" });
});

test("credit that was granted after the last message is given back when it isn't used", async () => {
  const channel = await openTo(1, 20_000);
  const sent = channel.send(new Uint8Array(8_000), undefined);
  await router.advance(3_000);
  await sent;
  const end = 8_000 + limits.frameCostBytes;
  router.say(1, { kind: "credit", connection: channel.key, received: end, limit: end + 8_000_000 });
  const yields = (await router.advance(30_000)).filter(({ frame }) => frame.kind === "yield");
  expect(yields).toMatchObject([{ frame: { granted: end + 8_000_000 } }]);
});

test("a Connection is settled when the only message that waited is taken back", async () => {
  const channel = await openTo(1, 8);
  const abort = new AbortController();
  const sending = channel.send(new Uint8Array(100), abort.signal);
  const { settled } = channel.sender;
  abort.abort(new Error("not any more"));
  await expect(sending).rejects.toThrow("not any more");
  await settled;
});

test("a status callback that throws doesn't keep the rest of the message from being handled", async () => {
  const slip = new Error("a slip of the program's");
  const thrown = new Promise((resolve) => process.once("uncaughtException", resolve));
  const channel = await openTo(1, 1_000);
  router.say(routerAddress, { kind: "gone", address: 1, reason: goneReasons.lost });
  router.onStatus = () => {
    throw slip;
  };
  router.sends(
    encodeBatch(routerAddress, { kind: "paired", address: 2, session: sessionOf(1), peer: "peer-1" }),
    encodeBatch(2, { kind: "credit", connection: channel.key, received: 0, limit: 1_000 }),
  );
  expect(await thrown).toBe(slip);
  await router.turn();
  await channel.send(new Uint8Array(1), undefined);
  expect(await router.turn()).toMatchObject([{ address: 2, frame: { kind: "data" } }]);
});
