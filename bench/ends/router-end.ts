import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Client, connect, type Connection, type Format } from "messagepasser";
import { msgpack } from "messagepasser/msgpack";
import { protobuf } from "messagepasser/protobuf";
import { type Dial, type EndFormat, type SendingEnd, StreamCount, type StreamReceiver } from "./end.ts";

const formats: Readonly<Record<EndFormat, Format | undefined>> = {
  native: undefined,
  msgpack,
  protobuf,
  // Not the package's: see json-end.ts.
  json: undefined,
};

function connectTo({ url, name, secret, format }: Dial): Promise<Client> {
  const chosen = formats[format];
  return connect(url, { name, secret, ...(chosen && { format: chosen }) });
}

/** The sending end of Connections through the router. Uses the client as its users would. */
export class RouterSender implements SendingEnd {
  readonly #client: Client;
  readonly #peer: string;
  #stream: { stop: boolean; readonly messages: Promise<number> } | undefined;
  #echo: Connection | undefined;

  constructor(client: Client, peer: string) {
    this.#client = client;
    this.#peer = peer;
  }

  static async connect(dial: Dial): Promise<RouterSender> {
    return new RouterSender(await connectTo(dial), dial.peer);
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

  async openToFirstByte(first: Uint8Array): Promise<void> {
    const connection = await this.#client.open(this.#peer, "echo", { first });
    await connection.receive();
    await connection.close();
  }

  /** Fills a Connection that nobody reads, in steps that cost 1 KiB of its window each. */
  async windowBytes(): Promise<number> {
    const stepBytes = 1_024;
    const costBytes = 16;
    const connection = await this.#client.open(this.#peer, "unread");
    const message = new Uint8Array(stepBytes - costBytes);
    for (let steps = 0; ; steps++) {
      let isSent = false;
      const sent = connection.send(message).then(
        () => (isSent = true),
        () => undefined,
      );
      await nextTurn();
      if (isSent) continue;
      connection.abort("The window is full");
      await sent;
      return steps * stepBytes;
    }
  }
}

/** The receiving end of Connections through the router. */
export class RouterReceiver implements StreamReceiver {
  stream = new StreamCount();

  constructor(client: Client) {
    client.handle("echo", async (connection) => {
      for await (const message of connection) await connection.send(message);
      await connection.close();
    });
    client.handle("stream", async (connection) => {
      const { stream } = this;
      for await (const message of connection) stream.add(message.length);
      await connection.close();
      stream.end();
    });
    client.handle("unread", () => undefined);
  }

  static async connect(dial: Dial): Promise<RouterReceiver> {
    return new RouterReceiver(await connectTo(dial));
  }

  prepareStream(): void {
    this.stream = new StreamCount();
  }
}
