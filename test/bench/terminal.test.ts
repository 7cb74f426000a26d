import { describe, expect, test } from "vitest";
import { type Paint, terminalText } from "../../bench/report/terminal.ts";
import { exampleReport } from "./example.ts";

const plain: Paint = (_style, text) => text;
const marked: Paint = (style, text) => `<${style}>${text}</${style}>`;

describe("the report in a terminal", () => {
  test("the report for a terminal has every table in few columns", () => {
    expect(terminalText(exampleReport, plain)).toBe(`\
Abacus 9000, 2 cores, linux x64, Node v24.0.0
Rounds of 400 ms

               median  least to most     ratio  least to most   target          also
64 B one way: messages/s
MessagePasser   2.35M  2.11M to 2.58M                                           payload 150 MB/s
opaque relay       4M  3.6M to 4.4M      0.59×  0.53× to 0.64×                  payload 256 MB/s
chatty & slow  50,000  45,000 to 55,000  46.9×  42.2× to 51.6×  ✓ at least 20   payload 3.2 MB/s

64 B round trip, idle: p50, µs
MessagePasser      96  86.4 to 106                                              p99 310 µs
opaque relay       80  72 to 88           1.2×  1.08× to 1.32×  ✗ at most 1.15  p99 240 µs

Processor time, seconds for a million messages (M) and for a GiB
                             server/M  clients/M  server/GiB  clients/GiB
64 B one way  MessagePasser                             3.13
              opaque relay                               1.5
              chatty & slow                             99.5

1 of 2 targets are met
  ✗ at most 1.15: 64 B round trip, idle, p50, µs, against opaque relay 1.2×
`);
  });

  test("the report for a terminal has no colours but those of its painter", () => {
    const painted = terminalText(exampleReport, marked);
    expect(painted).toContain("<bold>64 B one way: messages/s</bold>");
    expect(painted).toMatch(/<green>✓ at least 20 *<\/green>/);
    expect(painted).toMatch(/<red>✗ at most 1\.15 *<\/red>/);
    expect(painted.replaceAll(/<\/?(?:bold|dim|green|red)>/g, "").replaceAll(/ +$/gm, "")).toBe(
      terminalText(exampleReport, plain),
    );
  });

  test("the report of a run without targets says nothing about targets", () => {
    const scenarios = exampleReport.scenarios.map((scenario) => ({
      ...scenario,
      results: scenario.results.filter(({ target }) => target === undefined),
    }));
    expect(terminalText({ ...exampleReport, scenarios }, plain)).not.toMatch(/target.* met/);
  });
});
