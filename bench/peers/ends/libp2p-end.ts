// The ends on libp2p: two nodes and the link between them that a relay carries.
import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Connection, Ed25519PrivateKey, Libp2p, Stream } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { decode, encode } from "it-length-prefixed";
import { createLibp2p } from "libp2p";
import { type Dial, type ReceivingEnd, type SendingEnd, StreamCount } from "../../ends/end.ts";
import { links, services, transport } from "./libp2p-links.ts";

const [streamProtocol, echoProtocol] = ["/bench/stream/1.0.0", "/bench/echo/1.0.0"];
/** After so much the event loop has its turn. With more, small messages pile up, and all of them get slower. */
const turnBytes = 4_096;
/** The first message of a stream need not wait until its protocol is agreed on. */
const openOptions = { negotiateFully: false };

/** A node is known by its key. Made from its name, it need not be told to the other one. */
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

/** As `stream.onDrain()` is meant to, but from the second time on that no longer waits. */
function drained(stream: Stream): Promise<unknown> {
  return new Promise((resolve) => {
    stream.addEventListener("drain", resolve, { once: true });
  });
}

/** Waits for so many bytes. */
async function receiveBytes(stream: Stream, byteCount: number): Promise<void> {
  let left = byteCount;
  await new Promise<void>((resolve, reject) => {
    const onMessage = ({ data }: { readonly data: { readonly byteLength: number } }): void => {
      left -= data.byteLength;
      if (left > 0) return;
      stream.removeEventListener("message", onMessage);
      stream.removeEventListener("close", onClose);
      resolve();
    };
    const onClose = (): void => {
      reject(new Error("The stream is over"));
    };
    stream.addEventListener("message", onMessage);
    stream.addEventListener("close", onClose);
  });
}

class Libp2pSender implements SendingEnd {
  readonly #connection: Connection;
  #stream: { stop: boolean; readonly messages: Promise<number> } | undefined;
  #echo: Stream | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async startStream(messageBytes: number): Promise<void> {
    const stream = await this.#connection.newStream(streamProtocol);
    const state = { stop: false, messages: Promise.resolve(0) };
    state.messages = pump(stream, state, new Uint8Array(messageBytes));
    this.#stream = state;
  }

  async stopStream(): Promise<number> {
    if (this.#stream === undefined) return 0;
    this.#stream.stop = true;
    return await this.#stream.messages;
  }

  async roundTrip(message: Uint8Array): Promise<void> {
    this.#echo ??= await this.#connection.newStream(echoProtocol);
    this.#echo.send(message);
    await receiveBytes(this.#echo, message.length);
  }

  async openToFirstByte(message: Uint8Array): Promise<() => Promise<void>> {
    const stream = await this.#connection.newStream(echoProtocol, openOptions);
    stream.send(message);
    await receiveBytes(stream, 1);
    return () => stream.close();
  }
}

/** Messages with their length before each: a stream of libp2p has bytes. It has flow control of its own. */
async function pump(stream: Stream, state: { readonly stop: boolean }, message: Uint8Array): Promise<number> {
  let messages = 0;
  let thisTurnBytes = 0;
  for (; !state.stop; messages++) {
    if (!stream.send(encode.single(message))) await drained(stream);
    thisTurnBytes += message.length;
    if (thisTurnBytes < turnBytes) continue;
    thisTurnBytes = 0;
    await nextTurn();
  }
  await stream.close();
  return messages;
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  const node = await startNode(dial, []);
  const receiver = peerIdFromPrivateKey(await keyOf(dial.peer));
  return new Libp2pSender(await node.dial(multiaddr(`${dial.url}/p2p-circuit/p2p/${String(receiver)}`)));
}

export async function connectReceiver(dial: Dial): Promise<ReceivingEnd> {
  const node = await startNode(dial, [`${dial.url}/p2p-circuit`]);
  const streams = new StreamCount();
  await node.handle(streamProtocol, async (stream) => {
    for await (const message of decode(stream)) streams.add(message.byteLength);
    await stream.close();
    streams.end();
  });
  await node.handle(echoProtocol, async (stream) => {
    for await (const bytes of stream) stream.send(bytes);
    await stream.close();
  });
  return { streams };
}
