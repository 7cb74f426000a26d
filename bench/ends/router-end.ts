// The ends on the router: its published client, used as anybody would.
import { randomBytes } from "node:crypto";
import { type Client, connect, type Connection, type Format } from "messagepasser";
import { type Dial, type ReceivingEnd, type SendingEnd, StreamCount } from "./end.ts";
import { connectJsonReceiver, connectJsonSender } from "./json-end.ts";

/** Loaded where they are asked for, as a program would. */
const formats: Readonly<Record<string, () => Promise<Format>>> = {
  msgpack: async () => (await import("messagepasser/msgpack")).msgpack,
  protobuf: async () => (await import("messagepasser/protobuf")).protobuf,
};

async function connectTo({ url, name, secret, format = "native" }: Dial): Promise<Client> {
  const chosen = await formats[format]?.();
  return await connect(url, { name, secret, ...(chosen && { format: chosen }) });
}

class RouterSender implements SendingEnd {
  readonly #client: Client;
  readonly #peer: string;
  #stream: { stop: boolean; readonly messages: Promise<number> } | undefined;
  #echo: Connection | undefined;

  constructor(client: Client, peer: string) {
    this.#client = client;
    this.#peer = peer;
  }

  async startStream(messageBytes: number): Promise<void> {
    const connection = await this.#client.open(this.#peer, "stream");
    const message = new Uint8Array(randomBytes(messageBytes));
    const stream = { stop: false, messages: Promise.resolve(0) };
    stream.messages = (async () => {
      let messages = 0;
      for (; !stream.stop; messages++) await connection.send(message);
      await connection.close();
      return messages;
    })();
    this.#stream = stream;
  }

  async stopStream(): Promise<number> {
    if (this.#stream === undefined) return 0;
    this.#stream.stop = true;
    return this.#stream.messages;
  }

  async roundTrip(message: Uint8Array): Promise<void> {
    this.#echo ??= await this.#client.open(this.#peer, "echo");
    await this.#echo.send(message);
    await this.#echo.receive();
  }

  async openToFirstByte(first: Uint8Array): Promise<() => Promise<void>> {
    const connection = await this.#client.open(this.#peer, "echo", { first });
    await connection.receive();
    return () => connection.close();
  }
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  if (dial.format === "json") return await connectJsonSender(dial);
  return new RouterSender(await connectTo(dial), dial.peer);
}

export async function connectReceiver(dial: Dial): Promise<ReceivingEnd> {
  if (dial.format === "json") return await connectJsonReceiver(dial);
  const client = await connectTo(dial);
  const streams = new StreamCount();
  client.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
    await connection.close();
  });
  client.handle("stream", async (connection) => {
    for await (const message of connection) streams.add(message.length);
    await connection.close();
    streams.end();
  });
  return { streams };
}
