import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { limits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import type { Report } from "../../scripts/cost/report.ts";
import type { Report as SimulationReport } from "../../scripts/simulate/report.ts";

// `npm run cost` and `npm run simulate`, as somebody runs them.

const scripts = join(import.meta.dirname, "..", "..", "scripts");

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function cost(...parameters: readonly string[]): Promise<Ended> {
  return run(join(scripts, "cost", "main.ts"), ...parameters);
}

/** As `npm run simulate` does. */
function simulate(...parameters: readonly string[]): Promise<Ended> {
  return run("--expose-gc", join(scripts, "simulate", "main.ts"), ...parameters);
}

async function run(...parameters: readonly string[]): Promise<Ended> {
  try {
    return { status: 0, ...(await promisify(execFile)(process.execPath, parameters)) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

test("npm run cost -- --measure counts the batches of a real router", async () => {
  const { status, stdout } = await cost(
    "--clients",
    "2",
    "--messages",
    "1000000",
    "--size",
    "1024",
    "--measure",
    "--json",
  );
  expect(status).toBe(0);
  const { measured, bill, naiveBill, ratio } = JSON.parse(stdout) as Report;
  expect(measured).toMatchObject({ sizeBytes: 1_024, messages: 65_536 });
  expect(measured.bytesIn).toBeGreaterThan(measured.messages * measured.sizeBytes);
  // A batch is gathered up to 128 KiB, and has several messages at least.
  expect(measured.messagesIn).toBeGreaterThanOrEqual(measured.bytesIn / limits.flushBatchBytes);
  expect(measured.messagesIn).toBeLessThan(measured.messages / 4);
  expect(measured.messagesInAlone).toBeGreaterThanOrEqual(1);
  expect(ratio).toBeCloseTo(naiveBill.usd / bill.usd);
});

test("npm run cost prints a bill by line, and names its invalid options", async () => {
  const bill = await cost("--clients", "1000", "--messages", "0", "--size", "64", "--connects", "1");
  expect(bill).toMatchObject({ status: 0, stderr: "" });
  expect(bill.stdout).toMatch(/^A month of 1,000 clients, 720 h and 1 links each, with no messages\.$/m);
  expect(bill.stdout).toMatch(/^ {2}clients that are idle +0 +0\.000000 +331,776 +4\.147200$/m);
  expect(bill.stdout).toMatch(/^The plan itself +5\.000000 +5\.000000$/m);
  expect(await cost("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("--hours-connected") });
  expect(await cost("--clients", "2", "--size", "64")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--messages is missing"),
  });
  expect(await cost("--clients", "x", "--messages", "1", "--size", "64")).toMatchObject({
    status: 2,
    stderr: '--clients must be a whole number of at least 1, not "x"\n',
  });
  const sharded = ["--clients", "9", "--messages", "8", "--size", "7", "--burst", "1", "--shards", "4"];
  const { stdout } = await cost(...sharded, "--crossing", "25", "--trunk", "sockets");
  expect(stdout).toMatch(/one by one, 25 % of them from shard to shard by sockets, over 4 shards\.$/m);
  expect(stdout).toMatch(/^ {2}calls between shards +1 /m);
  expect(await cost(...sharded, "--trunk", "pigeons")).toMatchObject({
    status: 2,
    stderr: '--trunk must be "calls" or "sockets", not "pigeons"\n',
  });
});

test("npm run simulate prints what each shard has to bear, and names its invalid options", async () => {
  const small = ["--clients", "1000", "--shards", "4", "--seconds", "2"];
  const text = await simulate(...small);
  expect(text).toMatchObject({ status: 0, stderr: expect.stringMatching(/^It took \d+ s and \d+ MiB\.\n$/) });
  expect(text.stdout).toMatch(
    /^1,000 clients over 4 shards\. 10 of them ask 1 times a second, 50 % of these anybody;$/m,
  );
  expect(text.stdout).toMatch(/^Routing takes \d/m);
  const { bytesPerLink, shards } = JSON.parse((await simulate(...small, "--json")).stdout) as SimulationReport;
  expect(bytesPerLink).toBeGreaterThan(200);
  expect(shards.sockets.sum).toBe(1_000);
  expect(await simulate("--shards", "1024")).toMatchObject({
    status: 2,
    stderr: '--shards must be a number from 1 to 1023, not "1024"\n',
  });
});
