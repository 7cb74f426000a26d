import { limits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { Budget } from "../connection/budget.ts";
import { Downlink } from "../link/downlink.ts";
import { systemClock } from "../link/platform.ts";
import { Paths } from "./paths.ts";

test("a peer and its guests share what a client holds for them, and have round trips of their own", () => {
  const paths = new Paths(new Budget(), new Downlink(systemClock));
  const [host, guest, other] = ["alice", "alice/printer", "bob"].map((peer) => paths.to(peer));
  expect(guest?.account).toBe(host?.account);
  expect(guest?.roundTrip).not.toBe(host?.roundTrip);
  expect(other?.account).not.toBe(host?.account);
});

test("bytes that are held for a peer still count, however many other names come and go", () => {
  const paths = new Paths(new Budget(), new Downlink(systemClock));
  const { account } = paths.to("alice");
  const { account: idle } = paths.to("bob");
  account.kept.add(1);
  for (let name = 0; name < 2 * limits.maxRememberedSessions; name++) paths.to(`mallory/${name}`);
  expect(paths.to("alice").account).toBe(account);
  expect(paths.to("bob").account).not.toBe(idle);
});
