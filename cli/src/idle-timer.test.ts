import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { IdleTimer } from "./idle-timer.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test.each([1_000, 30 * 86_400_000])("an idle timer of %d ms fires once nothing was touched for so long", (idleMs) => {
  const onIdle = vi.fn<() => void>();
  const timer = new IdleTimer(idleMs, onIdle);
  for (let count = 0; count < 3; count++) {
    vi.advanceTimersByTime(idleMs * 0.9);
    timer.touch();
  }
  expect(onIdle).not.toHaveBeenCalled();
  vi.advanceTimersByTime(idleMs + 10);
  expect(onIdle).toHaveBeenCalledOnce();
});

test("an idle timer that is stopped never fires", () => {
  const onIdle = vi.fn<() => void>();
  new IdleTimer(1_000, onIdle).stop();
  vi.advanceTimersByTime(10_000);
  expect(onIdle).not.toHaveBeenCalled();
});
