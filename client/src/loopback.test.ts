import { expect, test } from "vitest";
import { isLoopback } from "./loopback.ts";

test.each([
  "ws://localhost:1",
  "ws://127.0.0.1:1",
  "ws://127.255.1.2:1",
  "ws://127.1:1",
  "ws://[::1]:1",
  "wss://[0:0::1]",
])("%s leads to this machine", (url) => {
  expect(isLoopback(new URL(url))).toBe(true);
});

test.each([
  "ws://127.0.0.1.router.test",
  "ws://127.example.com",
  "ws://localhost.example.com",
  "ws://0.0.0.0",
  "ws://128.0.0.1",
  "ws://[::2]",
  "wss://router.example.com",
])("%s may lead to another machine", (url) => {
  expect(isLoopback(new URL(url))).toBe(false);
});
