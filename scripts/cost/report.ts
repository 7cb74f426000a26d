import { type Bill, billOf, type Line, type Measured, naiveBillOf, type Workload } from "./model.ts";
import { type Billed, planUsd, prices } from "./prices.ts";
import { recordedFor } from "./recorded.ts";
import { typicalWorkloads } from "./workloads.ts";

export interface Report {
  readonly workload: Workload;
  readonly measured: Measured;
  readonly bill: Bill;
  /** The same, where the object isn't billed for time in which it could leave memory. */
  readonly idleFreeBill: Bill;
  readonly naiveBill: Bill;
  /** How many times as much the naive router costs. */
  readonly ratio: number;
  readonly planUsd: number;
}

export function reportOf(workload: Workload, measured: Measured): Report {
  const bill = billOf(workload, measured);
  const idleFreeBill = billOf(workload, measured, "free");
  const naiveBill = naiveBillOf(workload);
  return { workload, measured, bill, idleFreeBill, naiveBill, ratio: naiveBill.usd / bill.usd, planUsd };
}

/** A report for people. @param origin where the measured figures are from */
export function textOf({ workload, measured, bill, idleFreeBill, naiveBill, ratio }: Report, origin: string): string {
  const alone = billOf({ ...workload, burst: 1 }, measured).messagesUsd;
  const rows = Object.entries(prices).flatMap(([billed, { what }]) => {
    const of = (lines: readonly Line[]): readonly Line[] => lines.filter((line) => line.billed === (billed as Billed));
    const [own, naive] = [of(bill.lines), of(naiveBill.lines)];
    const details = new Set([...own, ...naive].map((line) => line.what));
    return [what, ...Array.from(details, (detail) => row(`  ${detail}`, find(own, detail), find(naive, detail)))];
  });
  return [
    titleOf(workload),
    `${count(measured.messages)} such messages in a stream are ${count(measured.messagesIn)} WebSocket messages to the ` +
      `router; one alone is ${measured.messagesInAlone} (${origin}).`,
    "",
    `${"".padEnd(34)}${"this router".padStart(26)}${"a naive one".padStart(26)}`,
    `${"".padEnd(34)}${`${"quantity".padStart(14)}${"USD".padStart(12)}`.repeat(2)}`,
    ...rows,
    "",
    total("At list prices", bill.usd, naiveBill.usd),
    total("  of that, for messages", bill.messagesUsd, naiveBill.messagesUsd),
    total("  if idle time is free", idleFreeBill.usd, naiveBill.usd),
    total("Beyond what the plan includes", bill.beyondPlanUsd, naiveBill.beyondPlanUsd),
    total("The plan itself", planUsd, planUsd),
    "",
    `At list prices the naive one costs ${ratioText(ratio)} times as much.`,
    `Sent one by one, far apart, the messages would cost ${usd(alone)} USD instead of ${usd(bill.messagesUsd)} USD.`,
    "docs/cost.md lists the assumptions.",
    "",
  ].join("\n");
}

/** The typical workloads as a table in Markdown. */
export function typicalTable(): string {
  const rows = typicalWorkloads.map(({ what, workload }) => {
    const { bill, idleFreeBill, naiveBill, ratio } = reportOf(workload, recordedFor(workload.sizeBytes));
    const quantity = (billed: Billed): number =>
      bill.lines.reduce((sum, line) => sum + (line.billed === billed ? line.quantity : 0), 0);
    return [
      what,
      count(quantity("objectRequest")),
      count(quantity("gigabyteSecond")),
      usd(bill.usd),
      usd(bill.messagesUsd),
      usd(idleFreeBill.usd),
      usd(bill.beyondPlanUsd),
      usd(naiveBill.usd),
      ratioText(ratio),
    ];
  });
  return markdown(
    ["a month of", "requests", "GB-s", "USD", "for messages", "idle free", "beyond plan", "naive, USD", "ratio"],
    rows,
  );
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) =>
    Math.max(...[head, ...rows].map((cells) => cells[at]?.length ?? 0), title.length),
  );
  const lineOf = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(" | ")} |`;
  const rule = widths.map((width, at) => (at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return `${[head, rule, ...rows].map(lineOf).join("\n")}\n`;
}

function titleOf({ clients, messages, sizeBytes, burst, hoursConnected, connects, ...sharded }: Workload): string {
  const { shards, crossing, trunk } = sharded;
  const cross = messages === 0 ? "" : `, ${Math.round(crossing * 100)} % of them from shard to shard by ${trunk}`;
  const inBursts = burst >= messages ? "in one stream" : burst === 1 ? "one by one" : `in bursts of ${count(burst)}`;
  const sent = messages === 0 ? "no messages" : `${count(messages)} messages of ${count(sizeBytes)} B ${inBursts}`;
  const over = shards === 1 ? "" : `${cross}, over ${count(shards)} shards`;
  return `A month of ${count(clients)} clients, ${count(hoursConnected)} h and ${count(connects)} links each, with ${sent}${over}.`;
}

function find(lines: readonly Line[], what: string): Line | undefined {
  return lines.find((line) => line.what === what);
}

function row(what: string, ...lines: readonly (Line | undefined)[]): string {
  const cells = lines.map((line) => {
    const quantity = line === undefined ? "-" : count(line.quantity);
    return `${quantity.padStart(14)}${(line === undefined ? "" : line.usd.toFixed(6)).padStart(12)}`;
  });
  return `${what.padEnd(34)}${cells.join("")}`.trimEnd();
}

function total(what: string, ...amounts: readonly number[]): string {
  return `${what.padEnd(34)}${amounts.map((amount) => amount.toFixed(6).padStart(26)).join("")}`;
}

function count(quantity: number): string {
  return Math.ceil(quantity).toLocaleString("en-US");
}

/** Two digits that count, or cents, or dollars. */
function usd(amount: number): string {
  if (amount === 0) return "0";
  if (amount >= 1_000) return count(amount);
  if (amount >= 0.1) return amount.toFixed(2);
  return amount.toFixed(1 - Math.floor(Math.log10(amount)));
}

function ratioText(ratio: number): string {
  return ratio >= 10 ? count(Math.floor(ratio)) : ratio.toFixed(1);
}
