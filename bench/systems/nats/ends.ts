// The ends on NATS: its client, used as any program would use it.
import { type NatsConnection, wsconnect } from "@nats-io/nats-core";
import { type Dial, type SendingEnd, StreamCount } from "../end.ts";
import { WindowedReceiver, WindowedSender } from "../windowed.ts";

/** No message of a stream is empty. */
const endOfStream = new Uint8Array();

/** A sender whose round trips are requests. */
class RequestingSender extends WindowedSender {
  readonly #connection: NatsConnection;
  readonly #subject: string;

  constructor(connection: NatsConnection, subject: string, wires: ConstructorParameters<typeof WindowedSender>[0]) {
    super(wires);
    this.#connection = connection;
    this.#subject = subject;
  }

  override async roundTrip(message: Uint8Array): Promise<void> {
    await this.#connection.request(this.#subject, message);
  }

  /** Nothing is opened on NATS. A request with a subscription of its own for its answers comes closest. */
  override async openToFirstByte(message: Uint8Array): Promise<undefined> {
    await this.#connection.request(this.#subject, message, { noMux: true, timeout: 5_000 });
  }
}

export async function connectSender({ url, name, peer, variant }: Dial): Promise<SendingEnd> {
  const connection = await wsconnect({ servers: url });
  const [stream, echo, reply] = [`stream.${peer}.${name}`, `echo.${peer}`, `echoed.${name}`];
  const wires = {
    send: (message: Uint8Array) => connection.publish(stream, message),
    end: () => connection.publish(stream, endOfStream),
    echo: (message: Uint8Array) => connection.publish(echo, message, { reply }),
  };
  const sender = variant === "publish" ? new WindowedSender(wires) : new RequestingSender(connection, echo, wires);
  connection.subscribe(`credit.${name}`, { callback: () => sender.credit() });
  connection.subscribe(reply, { callback: () => sender.echoed() });
  // The receiver subscribes to the streams of each sender that asks it to.
  await connection.request(`hello.${peer}`, name);
  return sender;
}

export async function connectReceiver({ url, name }: Dial): Promise<StreamCount> {
  const connection = await wsconnect({ servers: url });
  const count = new StreamCount();
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
  // After this the server knows the subscriptions.
  await connection.flush();
  return count;

  function receiveFrom(sender: string): void {
    const receiver = new WindowedReceiver(count, () => connection.publish(`credit.${sender}`));
    connection.subscribe(`stream.${name}.${sender}`, {
      callback: (_error, { data }) => (data.length > 0 ? receiver.add(data.length) : count.end()),
    });
  }
}
