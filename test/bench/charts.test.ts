import { describe, expect, test } from "vitest";
import { chart } from "../../bench/report/charts/charts.ts";
import type { ScenarioReport } from "../../bench/report/report.ts";
import { exampleCurve, exampleReport } from "./example.ts";

const [oneWay, roundTrip] = exampleReport.scenarios as [ScenarioReport, ScenarioReport];

describe("a bar chart", () => {
  test("a bar chart says what was measured, when and where", async () => {
    const texts = textsOf(await chart(oneWay, exampleReport));
    expect(texts).toContain("64 B one way: messages/s");
    expect(texts).toContain("2031-02-03, Abacus 9000, 2 cores, linux x64, Node v24.0.0");
  });

  test("a bar chart has each contender's value, with the best one at the top", async () => {
    const faster = textsOf(await chart(oneWay, exampleReport));
    expect(inOrder(faster, ["opaque relay", "MessagePasser", "chatty &amp; slow"])).toBe(true);
    expect(inOrder(faster, ["4M/s", "2.35M/s", "50,000/s"])).toBe(true);
    expect(faster.join()).toContain("more is better");
    const sooner = textsOf(await chart(roundTrip, exampleReport));
    expect(inOrder(sooner, ["80 µs", "96 µs"])).toBe(true);
    expect(sooner.join()).toContain("less is better");
  });

  test("a bar chart has our bar in a colour of its own", async () => {
    expect(barsOf(await chart(oneWay, exampleReport)).map(({ fill }) => fill)).toEqual([
      "#afb8c1",
      "#0969da",
      "#afb8c1",
    ]);
  });

  test("bars are as long as their medians", async () => {
    const [relay, ours] = barsOf(await chart(roundTrip, exampleReport));
    expect((ours?.length ?? 0) / (relay?.length ?? 0)).toBeCloseTo(96 / 80);
  });

  test("a bar chart with a bar over twenty times as long as another is logarithmic, and says so", async () => {
    const [relay, ours, chatty] = barsOf(await chart(oneWay, exampleReport)).map(({ length }) => length);
    const perDecade = 450 / Math.log10(10_000_000 / 10_000);
    expect([relay, ours, chatty]).toEqual(
      [4_000_000, 2_345_678, 50_000].map((median): unknown => expect.closeTo(Math.log10(median / 10_000) * perDecade)),
    );
    expect(await chart(oneWay, exampleReport)).toContain("logarithmic");
    expect(await chart(roundTrip, exampleReport)).not.toContain("logarithmic");
  });

  test("a bar chart with a figure of zero, which has no logarithm, stays linear", async () => {
    const results = oneWay.results.map((result) =>
      result.contender === "chatty" ? { ...result, value: { median: 0, min: 0, max: 1 } } : result,
    );
    const svg = await chart({ ...oneWay, results }, exampleReport);
    expect(svg).not.toContain("logarithmic");
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test("a scenario without figures has no chart", async () => {
    await expect(chart({ ...oneWay, results: [] }, exampleReport)).rejects.toThrow(/64 B one way/);
  });
});

describe("a line chart", () => {
  test("a line chart has each point's value, and the exponent", async () => {
    const svg = await chart(exampleCurve, exampleReport);
    const texts = textsOf(svg);
    expect(texts).toContain("2.5M");
    expect(texts).toContain("2.4M");
    expect(texts).toContain("idle links");
    expect(texts.join()).toContain("slope -0.01");
    expect(svg).not.toMatch(/NaN|Infinity/);
  });
});

test("charts of the same results are the same each time", async () => {
  expect(await chart(oneWay, exampleReport)).toBe(await chart(oneWay, exampleReport));
});

function textsOf(svg: string): string[] {
  return [...svg.matchAll(/<(?:text|tspan)[^>]*>([^<]+)</g)].map(([, text = ""]) => text);
}

/** The bars from top to bottom: `M0,YhLENGTHv…` */
function barsOf(svg: string): { length: number; fill: string | undefined }[] {
  const marks = /<g class="mark-rect[^>]*>(.*?)<\/g>/.exec(svg)?.[1] ?? "";
  return [...marks.matchAll(/d="M0,([\d.]+)h([\d.]+)[^>]*fill="([^"]+)"/g)]
    .map(([, y, length, fill]) => ({ y: Number(y), length: Number(length), fill }))
    .sort((a, b) => a.y - b.y);
}

function inOrder(texts: readonly string[], wanted: readonly string[]): boolean {
  const places = wanted.map((text) => texts.indexOf(text));
  return places.every((place, at) => place > (places[at - 1] ?? -1));
}
