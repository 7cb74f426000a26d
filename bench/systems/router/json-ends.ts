// The ends on the router in `mp.v1.json`, as a program in any language would speak it.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import WebSocket from "ws";
import { type Dial, type SendingEnd, StreamCount } from "../end.ts";

type Frame = { readonly type: string; readonly limit?: number } & {
  readonly [Field in "peer" | "connection" | "base64" | "token"]?: string;
};

/** What each frame with data counts for, besides its payload. */
const frameCostBytes = 16;
/** A sender that has gathered this much sends it, and waits while its socket has this much to write. */
const [flushLength, maxBufferedBytes] = [65_536, 262_144];

async function openLink({ url, name, secret }: Dial, hear: (frame: Frame) => void): Promise<WebSocket> {
  const authorization = `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}`;
  const address = new URL("/connect/default", url);
  const socket = new WebSocket(address.href, "mp.v1.json", { headers: { authorization }, perMessageDeflate: false });
  socket.on("message", (data: Buffer) => {
    const frames = JSON.parse(data.toString()) as Frame | Frame[];
    for (const frame of Array.isArray(frames) ? frames : [frames]) {
      if (frame.type === "mark") socket.send(JSON.stringify({ type: "reached", token: frame.token }));
      else hear(frame);
    }
  });
  await once(socket, "open");
  return socket;
}

/** The sender counts credit, or it would send more than its peer takes. */
export async function connectJsonSender(dial: Dial): Promise<SendingEnd> {
  const credit = { limit: 0 };
  let streams = 0;
  let wake = Promise.withResolvers<undefined>();
  const connection = (): string => `${dial.name}:${streams}`;
  const socket = await openLink(dial, (frame) => {
    // The stream before may get credit, too.
    if (frame.connection !== connection() || (frame.type !== "accept" && frame.type !== "credit")) return;
    credit.limit = Math.max(credit.limit, frame.limit ?? 0);
    wake.resolve(undefined);
    wake = Promise.withResolvers();
  });
  const send = (texts: readonly string[]): void => socket.send(`[${texts.join(",")}]`);
  const onlyStreams = (): never => {
    throw new TypeError("In JSON only streams are measured");
  };
  return {
    async openStream() {
      streams++;
      credit.limit = 0;
      const head = { peer: dial.peer, connection: connection() };
      send([JSON.stringify({ type: "open", ...head, protocol: "stream" })]);
      await wake.promise;
      return async (messageBytes, round) => {
        const base64 = randomBytes(messageBytes).toString("base64");
        const cost = messageBytes + frameCostBytes;
        let [messages, length, texts] = [0, 0, [] as string[]];
        const flush = async (): Promise<void> => {
          send(texts);
          [length, texts] = [0, []];
          do await nextTurn();
          while (socket.bufferedAmount > maxBufferedBytes);
        };
        for (let offset = 0; !round.isOver; messages++, offset += cost) {
          while (offset + cost > credit.limit) {
            if (texts.length > 0) await flush();
            else await wake.promise;
          }
          const text = JSON.stringify({ type: "data", ...head, base64, offset });
          texts.push(text);
          length += text.length;
          if (length > flushLength) await flush();
        }
        send([...texts, JSON.stringify({ type: "close", ...head, offset: messages * cost })]);
        return messages;
      };
    },
    roundTrip: onlyStreams,
    openToFirstByte: onlyStreams,
  };
}

export async function connectJsonReceiver(dial: Dial): Promise<StreamCount> {
  const count = new StreamCount();
  const socket = await openLink(dial, ({ type, peer, connection, base64 = "" }) => {
    if (type === "open") socket.send(JSON.stringify({ type: "accept", peer, connection }));
    if (type === "data") count.add(Buffer.byteLength(base64, "base64"));
    if (type === "end") count.end();
  });
  return count;
}
