import { type Client, type Connection, ConnectionError, type Format } from "messagepasser";
import type { Realm } from "../realm.ts";
import { Inbox, type Talk, type Talker } from "./talk.ts";

/** The client package, in one of its formats; the native one by default. */
export async function packageTalker(realm: Realm, name: string, format?: Format): Promise<Talker> {
  const client = await realm.connect(name, format === undefined ? {} : { format });
  const opened = new Map<string, Inbox<Talk>>();
  const inboxOf = (protocol: string): Inbox<Talk> => {
    const inbox = opened.get(protocol) ?? new Inbox();
    opened.set(protocol, inbox);
    return inbox;
  };
  // From the beginning, so that an open that comes before `accept` is kept too.
  client.handleAny((connection) => {
    if (connection.protocol === "unknown") return false;
    inboxOf(connection.protocol).put(talkOf(connection));
    return true;
  });
  return {
    name,
    open: (peer, protocol) => openWith(client, peer, protocol),
    accept: (protocol) => inboxOf(protocol).take(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function openWith(client: Client, peer: string, protocol: string): Promise<Talk> {
  try {
    return talkOf(await client.open(peer, protocol));
  } catch (error) {
    throw error instanceof ConnectionError ? new Error(error.code, { cause: error }) : error;
  }
}

function talkOf(connection: Connection): Talk {
  return {
    send: (message) => connection.send(message),
    // Where the Connection has ended without a word, nothing more comes either.
    receive: () => connection.receive().catch(() => undefined),
    close: () => connection.close(),
    abort: () => {
      connection.abort();
      return Promise.resolve();
    },
    ended: connection.closed.then((error) => (error === undefined ? "closed" : "failed")),
  };
}
