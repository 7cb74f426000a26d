import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bill, billOf, type Measured, naiveBillOf, type Workload } from "./model.ts";
import { type Billed, planUsd, prices } from "./prices.ts";
import { recorded, recordedFor, recordedSizesBytes } from "./recorded.ts";
import { typicalTable } from "./report.ts";
import { usual } from "./workloads.ts";

const doc = readFileSync(join(import.meta.dirname, "..", "..", "docs", "cost.md"), "utf8");

/** A hundred messages a batch; each takes a millisecond. */
const measured: Measured = {
  sizeBytes: 100,
  messages: 10_000,
  messagesIn: 100,
  bytesIn: 1_000_000,
  elapsedMs: 10_000,
  messagesInAlone: 2,
};

const workload: Workload = {
  clients: 10,
  messages: 1_000_000,
  sizeBytes: 100,
  burst: 1_000,
  hoursConnected: 720,
  connects: 3,
  lineMbit: 1_000,
  shards: 1,
  crossing: 0,
  trunk: "calls",
};

function quantity(bill: Bill, billed: Billed, what: string): number {
  const line = bill.lines.find((each) => each.billed === billed && each.what === what);
  if (line === undefined) throw new Error(`No line "${what}"`);
  return line.quantity;
}

describe("a bill", () => {
  test("a bill has the quantities that follow from the workload and from the measurements", () => {
    const bill = billOf(workload, measured);
    expect(quantity(bill, "workerRequest", "connects")).toBe(30);
    expect(quantity(bill, "objectRequest", "connects")).toBe(30);
    expect(quantity(bill, "kvRead", "connects")).toBe(30);
    // A thousand bursts of ten batches, and of what a single message is.
    expect(quantity(bill, "objectRequest", "messages in, 20 are one")).toBe((1_000 * 12) / 20);
    // Ten clients, each a heartbeat every 25 s.
    expect(quantity(bill, "objectRequest", "heartbeats, if they are billed")).toBe((10 * 2_592_000) / 25 / 20);
    // Each burst: a second on its way, one to be acknowledged, ten to fall asleep.
    expect(quantity(bill, "gigabyteSecond", "messages")).toBeCloseTo(1_000 * 12 * 0.128);
    expect(quantity(bill, "gigabyteSecond", "connects and disconnects")).toBeCloseTo(30 * 20 * 0.128);
    expect(quantity(bill, "gigabyteSecond", "clients that are idle")).toBe(0);
    expect(quantity(bill, "rowWritten", "usage counts")).toBeCloseTo(12_000 / 1_024 + 1_000);
  });

  test("a bill adds up, and has the shares of the messages and of idle time", () => {
    const bill = billOf(workload, measured);
    expect(bill.usd).toBeCloseTo(bill.lines.reduce((sum, { usd }) => sum + usd, 0));
    const idle = billOf({ ...workload, messages: 0 }, measured);
    expect(idle.messagesUsd).toBe(0);
    expect(bill.usd - bill.messagesUsd).toBeCloseTo(idle.usd);
    const idleFree = billOf(workload, measured, "free");
    expect(quantity(idleFree, "gigabyteSecond", "messages")).toBeCloseTo(1_000 * 0.128);
    expect(quantity(idleFree, "gigabyteSecond", "connects and disconnects")).toBe(0);
  });

  test("a bill goes by the line's speed where that is slower than the router", () => {
    // 100 kB a burst are 0.8 Mbit.
    const bill = billOf({ ...workload, lineMbit: 0.1 }, measured);
    expect(quantity(bill, "gigabyteSecond", "messages")).toBeCloseTo(1_000 * (8 + 11) * 0.128);
  });

  test("a bill takes a message that is sent alone as it was measured", () => {
    const bill = billOf({ ...workload, messages: 1_000, burst: 1 }, measured);
    expect(quantity(bill, "objectRequest", "messages in, 20 are one")).toBe((1_000 * 2) / 20);
    expect(quantity(bill, "gigabyteSecond", "messages")).toBeCloseTo(1_000 * 11.001 * 0.128);
  });

  test("a bill has no more duration than the time in which clients are connected", () => {
    const busy = billOf({ ...workload, burst: 1 }, measured);
    expect(quantity(busy, "gigabyteSecond", "messages")).toBe(2_592_000 * 0.128);
    expect(quantity(busy, "gigabyteSecond", "connects and disconnects")).toBe(0);
    const hour = billOf({ ...workload, burst: 1, hoursConnected: 1 }, measured);
    expect(quantity(hour, "gigabyteSecond", "messages")).toBe(3_600 * 0.128);
  });

  test("a bill subtracts the plan's allowances from all lines of a kind together", () => {
    // 600,000 for messages and 800,000 for connects: each alone is included.
    const many = { ...workload, messages: 1_000_000_000, burst: 1_000_000, clients: 1, connects: 800_000 };
    const bill = billOf(many, { ...measured, messagesIn: 120, messagesInAlone: 0 });
    const requests = bill.lines.reduce((sum, line) => sum + (line.billed === "objectRequest" ? line.quantity : 0), 0);
    expect(requests).toBe(600_000 + 800_000 + 2_592_000 / 25 / 20);
    const gigabyteSeconds = 2_592_000 * 0.128;
    expect(gigabyteSeconds).toBeLessThan(prices.gigabyteSecond.included);
    expect(bill.beyondPlanUsd).toBeCloseTo(((requests - 1_000_000) * 0.15) / 1_000_000);
    expect(billOf(workload, measured).beyondPlanUsd).toBe(0);
  });

  test("a bill of a naive router has each message and all of the time", () => {
    const bill = naiveBillOf(workload);
    expect(quantity(bill, "objectRequest", "messages in, 20 are one")).toBe(50_000);
    expect(quantity(bill, "gigabyteSecond", "clients that are idle")).toBeCloseTo(331_776);
    expect(naiveBillOf({ ...workload, hoursConnected: 1 }).usd).toBeLessThan(bill.usd);
  });
});

describe("a bill of several shards", () => {
  const sharded: Workload = { ...workload, shards: 4, crossing: 0.25 };

  test("a bill of several shards has a call for each message that crosses, and the time of both clients' objects", () => {
    const bill = billOf(sharded, measured);
    expect(quantity(bill, "objectRequest", "calls between shards")).toBe((1_000 * 12) / 4);
    expect(quantity(bill, "gigabyteSecond", "messages")).toBeCloseTo(1_000 * 12 * 1.25 * 0.128);
    expect(quantity(bill, "objectRequest", "messages in, 20 are one")).toBe((1_000 * 12) / 20);
  });

  test("WebSockets between shards cost a tenth of calls", () => {
    const bill = billOf({ ...sharded, trunk: "sockets" }, measured);
    expect(quantity(bill, "objectRequest", "calls between shards")).toBeCloseTo((1_000 * 12) / 4 / 10);
  });

  test("clients that are paired across shards have each shard look after all others every ten minutes", () => {
    const bill = billOf(sharded, measured);
    // An alarm, and calls to three others.
    expect(quantity(bill, "objectRequest", "checks between shards")).toBe(4 * 4_320 * 4);
    expect(quantity(bill, "gigabyteSecond", "checks between shards")).toBeCloseTo(4 * 4_320 * 10 * 0.128);
    const lines = billOf({ ...sharded, messages: 0 }, measured).lines.map(({ what }) => what);
    expect(lines).not.toContain("checks between shards");
  });

  test("a bill of several shards has no more duration than the time of all their objects", () => {
    const busy = billOf({ ...sharded, burst: 1 }, measured);
    expect(quantity(busy, "gigabyteSecond", "messages")).toBe(4 * 2_592_000 * 0.128);
    expect(quantity(busy, "gigabyteSecond", "checks between shards")).toBe(0);
  });

  test("a realm of one shard pays nothing for crossings", () => {
    expect(billOf({ ...workload, crossing: 0.5, trunk: "sockets" }, measured)).toEqual(billOf(workload, measured));
  });
});

describe("the recorded measurements", () => {
  test("a million messages of 64 B in a stream cost less than a tenth of a cent", () => {
    const stream = { ...usual, clients: 2, messages: 1_000_000, sizeBytes: 64, burst: 1_000_000 };
    const { messagesUsd } = billOf(stream, recordedFor(64));
    expect(messagesUsd).toBeGreaterThan(0);
    expect(messagesUsd).toBeLessThan(0.001);
  });

  test("a thousand clients that are idle for a month cost no duration but for their connects and disconnects", () => {
    const idle = { ...usual, clients: 1_000, messages: 0, sizeBytes: 64, burst: 1, connects: 0 };
    const bill = billOf(idle, recordedFor(64));
    for (const { billed, quantity } of bill.lines) if (billed === "gigabyteSecond") expect(quantity).toBe(0);
    expect(naiveBillOf(idle).lines.find(({ billed }) => billed === "gigabyteSecond")?.quantity).toBeGreaterThan(
      300_000,
    );
  });

  test("all recorded sizes have costs, and sizes between them cost no less than smaller ones", () => {
    expect(recorded.sizes.map(({ sizeBytes }) => sizeBytes)).toEqual(recordedSizesBytes);
    const perMessage = [1, 64, 65, 500, 1_024, 1_025, 16_384, 100_000, 262_144, 1_048_576].map((sizeBytes) => {
      const { messages, messagesIn, bytesIn } = recordedFor(sizeBytes);
      expect(bytesIn / messages).toBeGreaterThan(sizeBytes);
      return { sizeBytes, messagesIn: messagesIn / messages };
    });
    // Batches differ a little from one measurement to the next.
    for (const [at, { messagesIn }] of perMessage.entries())
      expect(messagesIn).toBeGreaterThan(0.7 * (perMessage[at - 1]?.messagesIn ?? 0));
  });
});

describe("docs/cost.md", () => {
  test("docs/cost.md has the table that the command prints", () => {
    expect(doc).toContain(`\n${typicalTable()}`);
  });

  test("docs/cost.md has each price, with its allowance, its page and a date", () => {
    for (const { what, usdPerMillion, included } of Object.values(prices)) {
      const row = doc.split("\n").find((line) => line.startsWith(`| ${what} `));
      expect(row).toContain(` ${usdPerMillion.toFixed(2)} |`);
      expect(row).toContain(` ${included.toLocaleString("en-US")} |`);
      expect(row).toMatch(/https:\/\/developers\.cloudflare\.com\/\S+\/platform\/pricing\//);
    }
    expect(doc).toContain(`The plan itself costs ${planUsd} USD a month`);
    expect(doc).toMatch(/as Cloudflare.s pages had them on \d{4}-\d\d-\d\d/);
  });
});
