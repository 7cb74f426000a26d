import fc from "fast-check";
import { expect, test } from "vitest";
import { Queue } from "./queue.ts";

type Step = { readonly kind: "push" | "shift" | "remove" | "clear"; readonly count: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("push", "push", "shift", "remove", "clear"),
    count: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 1_500 })),
  }),
);

test("a queue does exactly what an array does", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const queue = new Queue<number>();
      let model: number[] = [];
      let last = 0;
      for (const { kind, count } of script) {
        for (let at = 0; at < (kind === "clear" ? 1 : count); at++) {
          if (kind === "push") {
            queue.push(++last);
            model.push(last);
          } else if (kind === "shift") expect(queue.shift()).toBe(model.shift());
          else if (kind === "remove") {
            const item = model[count % Math.max(1, model.length)] ?? 0;
            expect(queue.remove(item)).toBe(model.includes(item));
            model = model.filter((other) => other !== item);
          } else {
            expect(queue.clear()).toEqual(model);
            model = [];
          }
        }
        expect(queue.length).toBe(model.length);
        expect(queue.peek()).toBe(model[0]);
      }
    }),
  );
});
