import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { limits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import type { Report } from "../../scripts/cost/report.ts";

// `npm run cost`, as somebody runs it.

const program = join(import.meta.dirname, "..", "..", "scripts", "cost", "main.ts");

async function cost(...parameters: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  try {
    return { status: 0, ...(await promisify(execFile)(process.execPath, [program, ...parameters])) };
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
});
