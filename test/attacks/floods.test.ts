import { errorCodes, type PeerFrame } from "@messagepasser/protocol";
import { formats } from "@messagepasser/protocol/formats";
import { afterEach, expect, test } from "vitest";
import { dataFrame } from "../support/batches.ts";
import type { FrameLink } from "../support/readings.ts";
import { formatLink, rawLink } from "../sockets/raw-links.ts";
import { invite } from "./forge.ts";
import { underAttack } from "./victims.ts";
import type WebSocket from "ws";

// A peer that one open let through, and that sends past all credit.

const victims = underAttack();
const open: { readonly socket: WebSocket }[] = [];

afterEach(() => {
  for (const { socket } of open.splice(0)) socket.terminate();
});

/** Sends frames to a peer until the router takes the pair away. */
async function flood(from: FrameLink<WebSocket>, address: number, frames: readonly PeerFrame[]): Promise<void> {
  for (let round = 0; round < 400; round++) {
    from.say(address, ...frames);
    const heard = await from.hearAll();
    if (heard.some((item) => item.kind === "gone")) return;
  }
  throw new Error("Nothing stopped the flood");
}

async function addressOf(link: FrameLink<WebSocket>, peer: string): Promise<number> {
  link.open(peer);
  return (await link.hear("routed")).address;
}

const chunks = Array.from({ length: 8 }, () => dataFrame(0x8000_0001, 0, new Uint8Array(60_000)));
const stops = Array.from({ length: 16_000 }, () => ({ kind: "stop", connection: 0x8000_0001 }) as const);

test("a flood costs the flooder the pair, and its victim neither its link nor its other peers", async () => {
  const mallory = await rawLink(victims, "mallory");
  const slow = await rawLink(victims, "slow");
  open.push(mallory, slow);
  const address = await addressOf(mallory, "slow");
  slow.socket.pause();
  await flood(mallory, address, chunks);
  mallory.open("slow", 2);
  expect((await mallory.hear("refused")).code).toBe(errorCodes.busy);
  const carol = await rawLink(victims, "carol");
  open.push(carol);
  const toSlow = await addressOf(carol, "slow");
  carol.say(toSlow, dataFrame(0x8000_0001, 0, Uint8Array.of(1, 2, 3)));
  slow.socket.resume();
  const others = await slow.until((item) => "from" in item && item.kind === "data" && item.payload.length === 3);
  expect(others.some((item) => item.kind === "gone")).toBe(true);
});

test.for(formats.filter(({ addressing }) => addressing === "name").map(({ subprotocol }) => subprotocol))(
  "a flood of small frames from a guest with a long name leaves a client of %s its link",
  async (subprotocol) => {
    const name = `guest-of-${subprotocol.replaceAll(".", "-")}`;
    const victim = await formatLink(victims, name, subprotocol, { itemsIn: () => [], answerToMark: () => undefined });
    open.push(victim);
    const host = await victims.secretOf("host");
    const guest = "g".repeat(120);
    const secretOf = (): Promise<string> => Promise.resolve(invite("host", host, { guest, uses: 10 }));
    const link = await rawLink({ router: victims.router, secretOf }, `host/${guest}`);
    open.push(link);
    const address = await addressOf(link, name);
    victim.socket.pause();
    for (let round = 0; round < 12; round++) {
      link.say(address, ...stops);
      await link.hearAll();
    }
    expect(victim.socket.readyState).toBe(1);
    expect(
      await victims.connect("asker").then(async (client) => {
        const peers = await client.peers();
        await client.close();
        return peers;
      }),
    ).toContain(name);
  },
);
