import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { StreamCount } from "../../bench/systems/end.ts";
import { WindowedReceiver, WindowedSender } from "../../bench/systems/windowed.ts";

const windowBytes = 4_194_304;
const messageCostBytes = 256;

/** A stream of messages of one size, and how much is delivered at a time before it is stopped. */
const streams = fc.array(
  fc.record({
    messageBytes: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 3 * windowBytes })),
    deliveries: fc.array(
      fc.record({ to: fc.constantFrom("receiver", "sender"), count: fc.integer({ min: 1, max: 5_000 }) }),
      { maxLength: 20 },
    ),
  }),
  { minLength: 1, maxLength: 3 },
);

test("no more than a window is under way and all of it arrives, however messages and grants are delayed", async () => {
  await fc.assert(
    fc.asyncProperty(streams, async (all) => {
      const toReceiver: (number | "end")[] = [];
      let grants = 0;
      let outstandingBytes = 0;
      let mostOutstandingBytes = 0;
      const sender = new WindowedSender({
        send: ({ length }) => {
          toReceiver.push(length);
          outstandingBytes += length + messageCostBytes;
          mostOutstandingBytes = Math.max(mostOutstandingBytes, outstandingBytes);
        },
        end: () => toReceiver.push("end"),
        echo: () => undefined,
      });
      const count = new StreamCount();
      const receiver = new WindowedReceiver(count, () => grants++);
      const deliver = (to: string, limit: number): void => {
        if (to === "receiver") {
          for (const message of toReceiver.splice(0, limit)) {
            if (message === "end") count.end();
            else receiver.add(message);
          }
        } else {
          for (let left = limit; left > 0 && grants > 0; left--, grants--) {
            outstandingBytes -= windowBytes / 2;
            sender.credit();
          }
        }
      };

      for (const { messageBytes, deliveries } of all) {
        // What the stream before left under way counts, too, and may have been one message of another size.
        const leftBytes = outstandingBytes;
        mostOutstandingBytes = 0;
        const round = { isOver: false };
        const send = await sender.openStream();
        const sending = send(messageBytes, round);
        for (const { to, count: limit } of deliveries) {
          deliver(to, limit);
          await nextTurn();
        }
        // Once all is delivered the sender goes on: no deadlock.
        deliver("receiver", Infinity);
        deliver("sender", Infinity);
        const before = toReceiver.length;
        await nextTurn();
        await nextTurn();
        expect(toReceiver.length).toBeGreaterThan(before);
        expect(mostOutstandingBytes).toBeLessThanOrEqual(
          Math.max(leftBytes, windowBytes, windowBytes / 2 + messageBytes + messageCostBytes),
        );
        round.isOver = true;
        deliver("receiver", Infinity);
        deliver("sender", Infinity);
        const sent = await sending;
        deliver("receiver", Infinity);
        expect(await count.finish(1)).toBe(sent);
      }
    }),
  );
});
