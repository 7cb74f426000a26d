// A client in a process of its own, which can be stopped and woken like a laptop. process.ts starts it and talks with it.
import { type Client, connect } from "messagepasser";

/** Where and as whom it connects. */
interface Account {
  readonly url: string;
  readonly name: string;
  readonly secret: string;
}

/** What it may be asked, and what it answers. Both go as JSON. */
export interface EndCalls {
  connect: { argument: Account; answer: null };
  /** Sends messages to each of these peers, over so many Connections each, as fast as they take them, until `stop`. */
  send: {
    argument: { readonly peers: readonly string[]; readonly connections: number; readonly messageBytes: number };
    answer: null;
  };
  /** Ends all that `send` began; answers how many messages went out, once the peers have confirmed every one. */
  stop: { argument: null; answer: number };
  /** How many messages came until now, and how many of them out of order. */
  received: { argument: null; answer: { readonly messages: number; readonly disorder: number } };
  /** Opens a Connection that the peer never reads, and fills it. */
  fillUnread: { argument: { readonly peer: string }; answer: null };
  /** Milliseconds of round trips over one Connection, one after the other. */
  roundTrips: { argument: { readonly peer: string; readonly durationMs: number }; answer: readonly number[] };
}

let client: Client | undefined;
const order = { isToStop: false };
let sending: Promise<number[]> = Promise.resolve([]);
const received = { messages: 0, disorder: 0 };

const handlers: {
  [Name in keyof EndCalls]: (argument: EndCalls[Name]["argument"]) => Promise<EndCalls[Name]["answer"]>;
} = {
  async connect({ url, name, secret }) {
    client = await connect(url, { name, secret });
    client.handle("bulk", async (connection) => {
      let next = 0;
      for await (const message of connection) {
        received.messages++;
        // Bytes, since that is what `send` sends.
        if (numberIn(message as Uint8Array) !== next++) received.disorder++;
      }
      await connection.close();
    });
    client.handle("unread", () => undefined);
    client.handle("echo", async (connection) => {
      for await (const message of connection) await connection.send(message);
      await connection.close();
    });
    return null;
  },
  send({ peers, connections, messageBytes }) {
    order.isToStop = false;
    const all = peers.flatMap((peer) => Array.from({ length: connections }, () => sendTo(peer, messageBytes)));
    sending = Promise.all(all);
    return Promise.resolve(null);
  },
  async stop() {
    order.isToStop = true;
    return (await sending).reduce((sum, count) => sum + count, 0);
  },
  received: () => Promise.resolve({ ...received }),
  async fillUnread({ peer }) {
    const connection = await theClient().open(peer, "unread");
    const message = new Uint8Array(16_384);
    void (async () => {
      for (;;) await connection.send(message);
    })().catch(() => undefined);
    return null;
  },
  async roundTrips({ peer, durationMs }) {
    const connection = await theClient().open(peer, "echo");
    const message = new Uint8Array(64);
    const times: number[] = [];
    const endMs = performance.now() + durationMs;
    for (let beforeMs = performance.now(); beforeMs < endMs; beforeMs = performance.now()) {
      await connection.send(message);
      await connection.receive();
      times.push(performance.now() - beforeMs);
    }
    await connection.close();
    return times;
  },
};

async function sendTo(peer: string, messageBytes: number): Promise<number> {
  const connection = await theClient().open(peer, "bulk");
  const message = new Uint8Array(messageBytes);
  const view = new DataView(message.buffer);
  let count = 0;
  for (; !order.isToStop; count++) {
    view.setUint32(0, count);
    await connection.send(message);
  }
  await connection.close();
  const error = await connection.closed;
  if (error !== undefined) throw error;
  return count;
}

function numberIn(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getUint32(0);
}

function theClient(): Client {
  if (client === undefined) throw new TypeError("Not connected");
  return client;
}

// Only process.ts writes to this channel.
process.on("message", (message) => {
  const { id, name, argument } = message as { id: number; name: keyof EndCalls; argument: never };
  handlers[name](argument).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
