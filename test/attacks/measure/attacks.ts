import { limits } from "@messagepasser/protocol";
import { dataFrame, framesOf, openTo, segment, toRouter } from "../../support/batches.ts";
import { type Destination, rawLink } from "../../sockets/raw-links.ts";
import { invite } from "../forge.ts";

/** Runs an attack until the signal; says what it got done. */
export type Attack = (realm: Destination, signal: AbortSignal) => Promise<string>;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Connects, asks for 20 MB, reads nothing, and comes again. */
export const unread: Attack = async (realm, signal) => {
  const opens = Array.from({ length: 20 }, (_, at) =>
    openTo("$source", { connection: at + 1, protocol: "16x65000", limit: 2_000_000 }),
  );
  let rounds = 0;
  while (!signal.aborted) {
    try {
      const link = await rawLink(realm, "mallory");
      link.socket.on("error", () => undefined);
      link.socket.pause();
      link.toRouter(...opens);
      rounds++;
    } catch {
      // It was refused.
    }
    await pause(200);
  }
  return `${rounds} links`;
};

/** Floods a peer at 40 Mbit/s past all credit, and opens to it again whenever that may help. */
export const flood: Attack = async (realm, signal) => {
  const bytesPerMs = 5_000;
  const link = await rawLink(realm, "mallory");
  const chunk = dataFrame(0x8000_0001, 0, new Uint8Array(60_000));
  let sentBytes = 0;
  let pairs = 0;
  while (!signal.aborted) {
    link.open("bob", ++pairs);
    const answer = await link.hear("routed", "refused");
    if (answer.kind === "refused") {
      pairs--;
      await pause(500);
      continue;
    }
    const startMs = performance.now();
    let pairBytes = 0;
    while (!signal.aborted && !link.unread.some((item) => item.kind === "gone")) {
      for (; pairBytes < (performance.now() - startMs) * bytesPerMs; pairBytes += chunk.payload.length)
        link.say(answer.address, chunk);
      await pause(5);
    }
    sentBytes += pairBytes;
  }
  link.socket.terminate();
  return `${Math.round(sentBytes / 1e6)} MB by ${pairs} pairs`;
};

/** 800 guests of one host, each with some unread bytes. */
export const guests: Attack = async (realm, signal) => {
  const host = await realm.secretOf("mallory");
  let links = 0;
  const echo = dataFrame(0x8000_0001, 0, new Uint8Array(20_000));
  for (let at = 0; at < 800 && !signal.aborted; at++) {
    const guest = `guest-${at}`;
    const secretOf = (): Promise<string> => Promise.resolve(invite("mallory", host, { guest }));
    try {
      const link = await rawLink({ router: realm.router, secretOf }, `mallory/${guest}`);
      link.socket.on("error", () => undefined);
      link.socket.pause();
      link.toRouter(openTo("$echo", { limit: limits.maxOffset }));
      link.say(0xffff_ff00, echo);
      links++;
    } catch {
      // It was refused.
    }
  }
  return `${links} guests`;
};

/** 36 KB of opens that ask for 1,024 empty messages each, ten times a second. */
export const sources: Attack = async (realm, signal) => {
  const link = await rawLink(realm, "mallory");
  const open = framesOf(openTo("$source", { protocol: "1024x0", limit: 2_000_000 }));
  const opens = new Uint8Array(open.length * Math.floor(36_000 / open.length));
  for (let at = 0; at < opens.length; at += open.length) opens.set(open, at);
  let batches = 0;
  while (!signal.aborted) {
    link.send(segment(0, opens));
    batches++;
    await pause(100);
    if (link.isClosed) break;
    await link.hearAll();
  }
  link.send(toRouter({ kind: "bye" }));
  return `${batches} batches`;
};
