import { type Client, type Connection, ConnectionError } from "messagepasser";
import { Inbox } from "../../sockets/formats/talk.ts";
import type { End, Received, Side } from "./side.ts";

/** The client of this repository. */
export function newSide(client: Client): Side {
  const incoming = new Inbox<End>();
  client.handle("talk", (connection) => {
    incoming.put(endOf(connection));
  });
  client.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
    await connection.close();
  });
  return {
    async open(peer, protocol) {
      try {
        return endOf(await client.open(peer, protocol));
      } catch (error) {
        throw new Error(codeOf(error), { cause: error });
      }
    },
    accept: () => incoming.take(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

function endOf(connection: Connection): End {
  return {
    async send(...messages) {
      for (const message of messages) await connection.send(message);
    },
    receive: (count) => receive(connection, count),
    close: () => connection.close(),
  };
}

async function receive(connection: Connection, count: number): Promise<Received> {
  const messages: Uint8Array[] = [];
  while (messages.length < count) {
    try {
      const message = await connection.receive();
      if (message === undefined) return { messages, over: "closed" };
      if (typeof message === "string") throw new Error("The original sends no texts");
      messages.push(message);
    } catch (error) {
      return { messages, over: codeOf(error) };
    }
  }
  return { messages, over: undefined };
}

function codeOf(error: unknown): string {
  if (error instanceof ConnectionError) return error.code;
  throw error;
}
