import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addKey } from "../../scripts/admin-client.ts";
import { launchChromium } from "../support/chromium.ts";
import { startRealm } from "./realm.ts";
import { lineOf } from "./router-process.ts";

test("the example with a login server lets its users in by tokens, and strangers not", async () => {
  await using realm = await startRealm();
  const bob = await realm.connect("bob");
  const heard = Promise.withResolvers<unknown>();
  bob.handle("greeting", async (connection) => {
    await connection.send(`Hello ${connection.peer}!`);
    heard.resolve(await connection.receive());
    await connection.close();
  });
  const server = spawn(process.execPath, [join(import.meta.dirname, "..", "..", "examples", "login", "server.ts")], {
    env: {
      ...process.env,
      MP_URL: realm.router.url.href,
      MP_TOKEN_KEY: await addKey(realm.router, "shop"),
      PORT: "0",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const browser = await launchChromium();
  try {
    const [, url = ""] = await lineOf(server, /Open (\S+)/);
    expect((await fetch(new URL("/token", url), { method: "POST" })).status).toBe(401);
    for (const body of [{ user: "zoe" }, { user: "ann" }, {}, { user: "zoe", password: null }]) {
      const { status } = await fetch(new URL("/login", url), { method: "POST", body: JSON.stringify(body) });
      expect(status, JSON.stringify(body)).toBe(401);
    }
    const page = await browser.newPage();
    await page.goto(url);
    await page.fill("[name=password]", "wrong");
    await page.click("button");
    await page.waitForFunction(() => document.querySelector("#log")?.textContent?.includes("/login answered 401"));
    await page.fill("[name=password]", "correct horse");
    await page.click("button");
    await page.waitForFunction(() => document.querySelector("#log")?.textContent?.includes("bob: Hello +shop/ann!"));
    expect(await heard.promise).toBe("Good to hear from you, bob.");
  } finally {
    await browser.close();
    server.kill();
    await bob.close();
  }
});
