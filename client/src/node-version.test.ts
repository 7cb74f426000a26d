import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nodeProblem } from "./node-version.ts";

test("a Node below the version that the client needs is named together with that version", () => {
  expect(nodeProblem("22.11.9")).toBe("messagepasser needs Node 22.12 or newer; this is Node 22.11.9");
  expect(nodeProblem("20.20.2")).toContain("needs Node 22.12");
  expect(nodeProblem("8.0.0")).toContain("needs Node 22.12");
});

test("the version that the client needs and newer ones have no problem", () => {
  expect(["22.12.0", "22.13.1", "23.0.0", "24.21.0", "100.0.0"].map(nodeProblem)).toEqual(Array(5).fill(undefined));
});

test.each(["client", "cli"])("package.json of %s asks for the Node version that the check asks for", (folder) => {
  const packageJson = new URL(`../../${folder}/package.json`, import.meta.url);
  const { engines } = JSON.parse(readFileSync(packageJson, "utf8")) as { engines: { node: string } };
  expect(nodeProblem(engines.node.replace(">=", ""))).toBeUndefined();
  expect(nodeProblem("0.0.0")).toContain(`Node ${engines.node.replace(">=", "")} or newer`);
});
