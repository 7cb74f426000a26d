import { limits, type RouterFrameOf } from "@messagepasser/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { serviceOf, type Services, servicesAfter } from "./services.ts";

function serve(change: Partial<RouterFrameOf<"serve">>): RouterFrameOf<"serve"> {
  return { kind: "serve", share: 0, add: [], remove: [], ...change };
}

test("a session may serve anything until its client has said what", () => {
  expect(serviceOf(undefined, "chat")).toBe("maybe");
  expect(serviceOf(servicesAfter(undefined, serve({})), "chat")).toBe("none");
});

test("a session serves what fits a pattern that was added, shared or alone", () => {
  const alone = servicesAfter(undefined, serve({ add: ["chat", "files.*"] }));
  const services = servicesAfter(alone, serve({ share: 1, add: ["work"] }));
  const served = ["chat", "files.read", "work", "chat2", "files"].map((protocol) => serviceOf(services, protocol));
  expect(served).toEqual(["alone", "alone", "shared", "none", "none"]);
});

test("a pattern that is added again changes between shared and alone, and one that is removed is served no more", () => {
  let services = servicesAfter(undefined, serve({ add: ["chat", "work"] }));
  services = servicesAfter(services, serve({ share: 1, add: ["chat"], remove: ["work"] }));
  expect(services).toEqual({ alone: [], shared: ["chat"] });
  expect(servicesAfter(services, serve({ add: ["chat"], remove: ["chat"] }))).toEqual({ alone: [], shared: [] });
});

test.each([
  ["patterns", Array.from({ length: limits.maxServices + 1 }, (_, at) => `p${at}`), /More than 64 protocols/],
  ["bytes", Array.from({ length: 9 }, (_, at) => `${at}`.padEnd(60, "é")), /More than 1024 bytes/],
  ["characters", ["a\nb"], /control characters/],
  ["nothing", [""], /must not be empty/],
])("a session that would serve too many or wrong %s breaks the protocol", (_, add, problem) => {
  expect(() => servicesAfter(undefined, serve({ add }))).toThrow(problem);
});

test("a frame that removes more protocols than a session may serve breaks the protocol", () => {
  const many = Array.from({ length: limits.maxServices + 1 }, (_, at) => `p${at}`);
  expect(() => servicesAfter(undefined, serve({ add: many.slice(1), remove: many }))).toThrow(/More than 64 protocols/);
});

test("the services of a session never pass the limits, whatever is added and removed in whatever order", () => {
  const patterns = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "*", "é"), minLength: 1, maxLength: 100 }), {
    maxLength: 40,
  });
  const change = fc.record({ kind: fc.constant("serve" as const), share: fc.nat(2), add: patterns, remove: patterns });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      let services: Services | undefined;
      for (const each of changes) {
        try {
          services = servicesAfter(services, each);
        } catch {
          continue;
        }
        const all = [...services.alone, ...services.shared];
        expect(new Set(all).size).toBe(all.length);
        expect(all.length).toBeLessThanOrEqual(limits.maxServices);
        expect(Buffer.byteLength(all.join(""))).toBeLessThanOrEqual(limits.maxServicesBytes);
        for (const removed of each.remove) expect(all).not.toContain(removed);
      }
    }),
  );
});
