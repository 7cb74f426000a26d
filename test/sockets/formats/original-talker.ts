import { encodeGob, gobDefinition, GobReader } from "../../../protocol/src/original/gob.ts";
import type { Realm } from "../realm.ts";
import { connectIn, Hand, Inbox, type Message, type Talker } from "./talk.ts";

/** The original's one message, by its own field names. */
interface Original {
  readonly Meta: number;
  readonly OtherClient: string;
  readonly ConnectionID: string;
  readonly Data: Uint8Array | null;
}

/** A client as the original's was: it authenticates with its first message, and waits for the answer. */
export async function originalTalker(realm: Realm, name: string, writing: "json" | "gob"): Promise<Talker> {
  const hands = new Map<string, Hand>();
  const opened = new Map<string, Inbox<Hand>>();
  const authenticated = Promise.withResolvers<undefined>();
  const reader = new GobReader(new Uint8Array());
  let lastId = -1;
  const say = (Meta: number, OtherClient: string, ConnectionID = "", Data: Uint8Array | null = null): void => {
    const original = { Meta, OtherClient, ConnectionID, Data };
    if (writing === "gob") socket.send(encodeGob(fieldsOf(original)));
    else {
      const text = Data === null ? null : Buffer.from(Data).toString("base64");
      socket.send(`${JSON.stringify({ ...original, Data: text })}\n`);
    }
  };
  const handOf = (peer: string, id: string): Hand => {
    const hand = new Hand((what, message) => {
      if (what === "data") say(0, peer, id, typeof message === "string" ? Buffer.from(message) : (message ?? null));
      else say(7, peer, id);
    });
    hands.set(id, hand);
    return hand;
  };
  const inboxOf = (protocol: string): Inbox<Hand> => {
    const inbox = opened.get(protocol) ?? new Inbox();
    opened.set(protocol, inbox);
    return inbox;
  };
  const hear = ({ Meta, OtherClient, ConnectionID, Data }: Original): void => {
    const heard = hands.get(ConnectionID)?.hear;
    if (Meta === 9) authenticated.resolve(undefined);
    else if (Meta === 10) authenticated.reject(new Error(Buffer.from(Data ?? []).toString()));
    else if (Meta === 5) {
      const protocol = Buffer.from(Data ?? []).toString();
      if (protocol === "unknown") say(3, OtherClient, ConnectionID);
      else {
        say(6, OtherClient, ConnectionID);
        inboxOf(protocol).put(handOf(OtherClient, ConnectionID));
      }
    } else if (Meta === 0) {
      // As the original does for what it doesn't know.
      if (heard === undefined) say(2, OtherClient, ConnectionID);
      else heard.piece(Data ?? new Uint8Array(), true);
    } else if (Meta === 6) heard?.accept();
    else if (Meta === 3) heard?.refuse("unknown-protocol");
    else if (Meta === 2) {
      heard?.refuse("peer-absent");
      heard?.over("closed");
    } else if (Meta === 7) heard?.over("closed");
  };
  const socket = await connectIn(realm, name, `mp.v0.${writing}`, (message) => {
    for (const original of writing === "gob" ? gobIn(reader, message) : linesIn(message)) hear(original);
  });
  if (writing === "gob") socket.send(gobDefinition);
  say(8, name, "", Buffer.from("secret"));
  await authenticated.promise;
  return {
    name,
    async open(peer, protocol) {
      const id = `${name}:${(++lastId).toString(16)}`;
      const hand = handOf(peer, id);
      say(5, peer, id, Buffer.from(protocol));
      await hand.accepted;
      return hand;
    },
    accept: (protocol) => inboxOf(protocol).take(),
    [Symbol.asyncDispose]: () => {
      socket.close();
      return Promise.resolve();
    },
  };
}

function fieldsOf({ Meta, OtherClient, ConnectionID, Data }: Original): Parameters<typeof encodeGob>[0] {
  return { meta: Meta, otherClient: OtherClient, connectionId: ConnectionID, data: Data ?? new Uint8Array() };
}

function gobIn(reader: GobReader, message: Message): Original[] {
  return Array.from(reader.read(message as Uint8Array), ({ meta, otherClient, connectionId, data }) => {
    return { Meta: meta, OtherClient: otherClient, ConnectionID: connectionId, Data: data };
  });
}

function linesIn(message: Message): Original[] {
  const lines = (message as string).split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const { Data, ...rest } = JSON.parse(line) as Omit<Original, "Data"> & { Data: string | null };
    return { ...rest, Data: Data === null ? null : new Uint8Array(Buffer.from(Data, "base64")) };
  });
}
