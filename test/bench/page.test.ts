import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  chartsOf,
  pageFile,
  pageWith,
  resultsFolder,
  resultsIn,
  writtenCharts,
  writtenReport,
} from "../../bench/report/page.ts";
import type { Report, Result } from "../../bench/report/report.ts";
import { exampleCurve, exampleReport } from "./example.ts";

const nothing = undefined;
const everything = { ...exampleReport, scenarios: [...exampleReport.scenarios, exampleCurve] };
const template = `# Page

Before.

<!-- results -->
<!-- end of results -->

Between.

<!-- curves -->
<!-- end of curves -->

After.
`;

describe("bench/README.md", () => {
  // Whether or not there are results yet: `npm run bench -- --page` mends it.
  test("bench/README.md says exactly what the written results say", async () => {
    const page = readFileSync(pageFile, "utf8");
    expect(page).toBe(await pageWith(writtenReport(), page));
  });

  test("infinite ratios survive in the written results, though JSON has no infinity", () => {
    expect(resultsIn(JSON.stringify({ ratio: { min: 2, max: Infinity } }))).toEqual({
      ratio: { min: 2, max: Infinity },
    });
  });

  test("bench/README.md shows each chart of the written results, and no older one", async () => {
    const charts = await chartsOf(writtenReport());
    expect(writtenCharts().sort()).toEqual([...charts.keys()].sort());
    const page = readFileSync(pageFile, "utf8");
    for (const [name, svg] of charts) {
      expect(readFileSync(join(resultsFolder, name), "utf8")).toBe(svg);
      expect(page).toContain(`](results/${name})`);
    }
  });
});

describe("the page", () => {
  test("a page without results says what is not measured yet, and which command measures it", async () => {
    const page = await pageWith(nothing, template);
    expect(page.match(/Not measured yet: run `npm run bench`\./g)).toHaveLength(2);
  });

  test("the page has tables with what was measured", async () => {
    const page = await pageWith(everything, template);
    expect(page).not.toContain("Not measured");
    expect(page).toContain("Measured on 2031-02-03: Abacus 9000, 2 cores, linux x64, Node v24.0.0.");
    expect(page).toContain("Messages/s, of 2 rounds:");
    expect(cellsOf(page)).toEqual(
      expect.arrayContaining([
        // In one look, of the first scenario in full, of its cost, of the targets, of the curve.
        "64 B round trip, idle, p50, µs|96|80",
        "opaque relay|4M|3.6M to 4.4M|0.59×|0.53× to 0.64×||payload 256 MB/s",
        "64 B one way|MessagePasser|||3.13|",
        "64 B one way|messages/s|chatty & slow|✓ at least 20|46.9×|42.2× to 51.6×",
        "64 B round trip, idle|p50, µs|opaque relay|✗ at most 1.15|1.2×|1.08× to 1.32×",
        "1,000|2.4M|2.1M to 2.45M",
      ]),
    );
    expect(page).toContain("1 of 2 targets are met");
    expect(page).toContain("- opaque relay: a bare Durable Object");
  });

  test("the page names the targets that couldn't be measured", async () => {
    const scenarios = exampleReport.scenarios.map((scenario) => ({ ...scenario, absent: ["rare one"] }));
    const page = await pageWith({ ...exampleReport, scenarios }, template);
    expect(page.replace(/\s+/g, " ")).toContain(
      "Not measured, because the contender isn't on this machine: 64 B one way against rare one; 64 B round trip, idle against rare one.",
    );
  });

  test("the first table of the page has the contenders of more than one scenario", async () => {
    const [oneWay] = exampleReport.scenarios;
    const alone = {
      name: "alone",
      title: "chatty alone",
      results: oneWay?.results.slice(2, 3) ?? [],
      absent: [],
      rounds: {},
    };
    const rows = async (scenarios: Report["scenarios"]): Promise<string[]> =>
      cellsOf(await pageWith({ ...exampleReport, scenarios }, template));
    expect((await rows(exampleReport.scenarios))[0]).toBe("|MessagePasser|opaque relay");
    const withOne = await rows([...exampleReport.scenarios, { ...alone, results: renamed(alone.results) }]);
    expect(withOne.filter((row) => row.startsWith("chatty alone, "))).toEqual([]);
    const withThree = await rows([...exampleReport.scenarios, alone]);
    expect(withThree[0]).toBe("|MessagePasser|opaque relay|chatty & slow");
    expect(withThree).toContain("chatty alone, messages/s|||50,000");
  });

  test("making the page again changes nothing, and keeps what is not generated", async () => {
    const page = await pageWith(everything, template);
    for (const text of ["# Page\n\nBefore.\n", "\nBetween.\n", "\nAfter.\n"]) expect(page).toContain(text);
    expect(await pageWith(everything, page)).toBe(page);
    expect(await pageWith(nothing, page)).toBe(await pageWith(nothing, template));
  });

  test("a page without a place for the results is refused", async () => {
    await expect(pageWith(nothing, "# Page")).rejects.toThrow(/no place for results/);
    const turnedRound = "<!-- end of results -->\n<!-- results -->";
    await expect(pageWith(nothing, turnedRound)).rejects.toThrow(/no place for results/);
  });
});

function renamed(results: readonly Result[]): Result[] {
  return results.map((result) => ({ ...result, contender: "stranger", contenderTitle: "stranger" }));
}

/** Rows of all tables, as in "a|b|c". */
function cellsOf(page: string): string[] {
  return page
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim())
        .join("|"),
    );
}
