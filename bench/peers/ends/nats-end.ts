// The ends on NATS: its client, used as anybody would.
import { type NatsConnection, type Subscription, wsconnect } from "@nats-io/nats-core";
import { type Dial, type ReceivingEnd, type SendingEnd, StreamCount } from "../../ends/end.ts";
import { WindowedReceiver, WindowedSender } from "../../ends/windowed.ts";

/** No message of a stream is empty. */
const endOfStream = new Uint8Array();

export class NatsSender implements SendingEnd {
  protected readonly connection: NatsConnection;
  protected readonly peer: string;
  readonly #sender: WindowedSender;

  constructor(connection: NatsConnection, { name, peer }: Dial) {
    this.connection = connection;
    this.peer = peer;
    const subject = `stream.${peer}.${name}`;
    this.#sender = new WindowedSender({
      send: (message) => {
        connection.publish(subject, message);
      },
      end: () => {
        connection.publish(subject, endOfStream);
      },
    });
    connection.subscribe(`credit.${name}`, {
      callback: () => {
        this.#sender.credit();
      },
    });
  }

  startStream(messageBytes: number): Promise<void> {
    this.#sender.start(messageBytes);
    return Promise.resolve();
  }

  async stopStream(): Promise<number> {
    return await this.#sender.stop();
  }

  async roundTrip(message: Uint8Array): Promise<void> {
    await this.connection.request(`echo.${this.peer}`, message);
  }

  /** Nothing is opened on NATS. Closest to it is a request that has a subscription of its own for its answers. */
  async openToFirstByte(message: Uint8Array): Promise<undefined> {
    await this.connection.request(`echo.${this.peer}`, message, { noMux: true, timeout: 5_000 });
  }
}

export async function connectSender(dial: Dial, Sender = NatsSender): Promise<SendingEnd> {
  const connection = await wsconnect({ servers: dial.url });
  const sender = new Sender(connection, dial);
  // The receiver subscribes to the stream of whoever asks it to.
  await connection.request(`hello.${dial.peer}`, dial.name);
  return sender;
}

export async function connectReceiver({ url, name }: Dial): Promise<ReceivingEnd> {
  const connection = await wsconnect({ servers: url });
  const streams = new StreamCount();
  connection.subscribe(`hello.${name}`, {
    callback: (_error, hello) => {
      receiveFrom(hello.string());
      hello.respond();
    },
  });
  connection.subscribe(`echo.${name}`, {
    callback: (_error, message) => {
      message.respond(message.data);
    },
  });
  // What came before is in force at the server.
  await connection.flush();
  return { streams };

  function receiveFrom(sender: string): Subscription {
    const receiver = new WindowedReceiver(streams, () => {
      connection.publish(`credit.${sender}`);
    });
    return connection.subscribe(`stream.${name}.${sender}`, {
      callback: (_error, { data }) => {
        if (data.length > 0) receiver.add(data.length);
        else receiver.end();
      },
    });
  }
}
