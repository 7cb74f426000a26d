import { type DataFrame, flipOpenerBit, limits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import type WebSocket from "ws";
import { rawLink } from "../sockets/raw-links.ts";
import { openTo } from "../support/batches.ts";
import type { FrameLink } from "../support/readings.ts";
import { underAttack } from "./victims.ts";

// A peer that sends messages without an end, to fill the memory of whoever puts them together.

const victims = underAttack();
const mebibyte = 1_048_576;
const connections = 120;
const full = new Uint8Array(limits.maxPayloadBytes);
/** Credit that is not worth a piece. */
const leastBytes = limits.minWindowBytes / 2;

/**
 * Sends on each of many Connections to carol, within its credit, one message without an end. Returns how much
 * went, once that is `mostBytes` or carol grants nothing more, and how much more memory was in use at the worst moment.
 */
async function flood(
  mallory: FrameLink<WebSocket>,
  protocol: string,
  mostBytes: number,
): Promise<{ readonly sentBytes: number; readonly memoryBytes: number }> {
  for (let connection = 1; connection <= connections; connection++)
    mallory.toRouter(openTo("carol", { protocol, connection, limit: 0 }));
  const { address } = await mallory.hear("routed");
  const sentOn = new Map<number, number>();
  const memoryBefore = process.memoryUsage().arrayBuffers;
  let total = 0;
  let mostMemoryBytes = 0;
  for (let idleRounds = 0; idleRounds < 100 && total < mostBytes; idleRounds++) {
    mostMemoryBytes = Math.max(mostMemoryBytes, process.memoryUsage().arrayBuffers);
    for (const item of await mallory.hearAll()) {
      if (item.kind !== "credit") continue;
      idleRounds = 0;
      const connection = flipOpenerBit(item.connection);
      const frames: DataFrame[] = [];
      let sent = sentOn.get(connection) ?? 0;
      while (item.limit - sent >= leastBytes) {
        const payload = full.subarray(0, item.limit - sent - limits.frameCostBytes);
        frames.push({ kind: "data", connection, last: false, text: false, offset: sent, payload });
        sent += payload.length + limits.frameCostBytes;
        total += payload.length;
      }
      sentOn.set(connection, sent);
      if (frames.length > 0) mallory.say(address, ...frames);
    }
  }
  return { sentBytes: total, memoryBytes: mostMemoryBytes - memoryBefore };
}

test.each([
  ["a program that waits for whole messages", "whole", 16 * mebibyte],
  ["the answer to pings", "$ping", mebibyte],
])("messages without an end on 120 Connections take little memory of %s", async (_, protocol, leastSentBytes) => {
  await using carol = await victims.connect("carol");
  carol.handle("whole", async (connection) => {
    await connection.receive().catch(() => undefined);
  });
  using mallory = await rawLink(victims, "mallory");
  const { sentBytes, memoryBytes } = await flood(mallory, protocol, 80 * mebibyte);
  expect(sentBytes).toBeGreaterThan(leastSentBytes);
  expect(memoryBytes).toBeLessThan(100 * mebibyte);
  await victims.expectUnharmed();
});
