// The ends on libp2p: two nodes, and the link between them that a relay carries.
import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Ed25519PrivateKey, Libp2p, Stream } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { decode, encode } from "it-length-prefixed";
import { createLibp2p } from "libp2p";
import { type Dial, type SendingEnd, StreamCount } from "../end.ts";
import { links, services, transport } from "./links.ts";

const [streamProtocol, echoProtocol] = ["/bench/stream/1.0.0", "/bench/echo/1.0.0"];
/** After this many bytes the event loop has its turn. With more, small messages pile up, and all of them get slower. */
const turnBytes = 4_096;
/** The first message of a stream need not wait until the protocol is agreed on. */
const openOptions = { negotiateFully: false };

/** A node is known by its key. A key made from the node's name need not be told to the other node. */
function keyOf(name: string): Promise<Ed25519PrivateKey> {
  return generateKeyPairFromSeed("Ed25519", createHash("sha256").update(name).digest());
}

async function startNode({ name }: Dial, listen: readonly string[]): Promise<Libp2p> {
  return await createLibp2p({
    ...links,
    privateKey: await keyOf(name),
    addresses: { listen: [...listen] },
    transports: [transport, circuitRelayTransport()],
    services,
  });
}

/** `stream.onDrain()` is meant for this, but doesn't wait from the second time on. */
function drained(stream: Stream): Promise<unknown> {
  return new Promise((resolve) => {
    stream.addEventListener("drain", resolve, { once: true });
  });
}

/** Waits for this many bytes. */
async function receiveBytes(stream: Stream, byteCount: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let left = byteCount;
  const onMessage = ({ data }: { readonly data: { readonly byteLength: number } }): void => {
    left -= data.byteLength;
    if (left <= 0) resolve();
  };
  const onClose = (): void => reject(new Error("The stream has ended"));
  stream.addEventListener("message", onMessage);
  stream.addEventListener("close", onClose);
  await promise;
  stream.removeEventListener("message", onMessage);
  stream.removeEventListener("close", onClose);
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  const node = await startNode(dial, []);
  const receiver = peerIdFromPrivateKey(await keyOf(dial.peer));
  const connection = await node.dial(multiaddr(`${dial.url}/p2p-circuit/p2p/${String(receiver)}`));
  let echo: Stream | undefined;
  return {
    /** A stream of libp2p has bytes, so each message has its length before it. Flow control is libp2p's own. */
    async openStream() {
      const stream = await connection.newStream(streamProtocol);
      return async (messageBytes, round) => {
        const message = new Uint8Array(messageBytes);
        let messages = 0;
        let thisTurnBytes = 0;
        for (; !round.isOver; messages++) {
          if (!stream.send(encode.single(message))) await drained(stream);
          thisTurnBytes += message.length;
          if (thisTurnBytes < turnBytes) continue;
          thisTurnBytes = 0;
          await nextTurn();
        }
        await stream.close();
        return messages;
      };
    },
    async roundTrip(message) {
      echo ??= await connection.newStream(echoProtocol);
      echo.send(message);
      await receiveBytes(echo, message.length);
    },
    async openToFirstByte(message) {
      const stream = await connection.newStream(echoProtocol, openOptions);
      stream.send(message);
      await receiveBytes(stream, 1);
      return () => stream.close();
    },
  };
}

export async function connectReceiver(dial: Dial): Promise<StreamCount> {
  const node = await startNode(dial, [`${dial.url}/p2p-circuit`]);
  const count = new StreamCount();
  await node.handle(streamProtocol, async (stream) => {
    for await (const message of decode(stream)) count.add(message.byteLength);
    await stream.close();
    count.end();
  });
  await node.handle(echoProtocol, async (stream) => {
    for await (const bytes of stream) stream.send(bytes);
    await stream.close();
  });
  return count;
}
