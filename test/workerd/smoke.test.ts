import { exports } from "cloudflare:workers";
import { expect, test } from "vitest";
test("health answers", async () => {
  const r = await exports.default.fetch("http://x/health");
  expect(await r.json()).toEqual({ status: "ok" });
});
