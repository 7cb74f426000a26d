import { afterEach, expect, test, vi } from "vitest";
import { connect } from "./browser.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const connecting = (): Promise<unknown> => connect("ws://127.0.0.1:1", { name: "alice", secret: "mp_secret" });

test.each(["hello world", "", "mp.v1"])("an answer with %o as the ticket fails the attempt at once", async (ticket) => {
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ ticket })));
  await expect(connecting()).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringContaining("SyntaxError") as string,
  });
});

test("a policy of the page that forbids sockets fails the attempt at once", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ ticket: "mp.ticket.x" })));
  vi.stubGlobal("WebSocket", function () {
    throw new DOMException("The page's policy forbids it", "SecurityError");
  });
  await expect(connecting()).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringContaining("policy") as string,
  });
});
