// The ends on the router: its published client, used as any program would use it.
import { randomBytes } from "node:crypto";
import { type Client, connect, type Connection, type Format } from "messagepasser";
import { type Dial, type SendingEnd, StreamCount } from "../end.ts";
import { connectJsonReceiver, connectJsonSender } from "./json-ends.ts";

/** Each is loaded only where it is used, as a program would do it. */
const formats: Readonly<Record<string, () => Promise<Format>>> = {
  msgpack: async () => (await import("messagepasser/msgpack")).msgpack,
  protobuf: async () => (await import("messagepasser/protobuf")).protobuf,
};

async function connectTo({ url, name, secret, variant = "native" }: Dial): Promise<Client> {
  const format = await formats[variant]?.();
  return await connect(url, { name, secret, ...(format && { format }) });
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  if (dial.variant === "json") return await connectJsonSender(dial);
  const client = await connectTo(dial);
  const { peer } = dial;
  let echo: Connection | undefined;
  return {
    async openStream() {
      const connection = await client.open(peer, "stream");
      return async (messageBytes, round) => {
        const message = new Uint8Array(randomBytes(messageBytes));
        let messages = 0;
        for (; !round.isOver; messages++) await connection.send(message);
        await connection.close();
        return messages;
      };
    },
    async roundTrip(message) {
      echo ??= await client.open(peer, "echo");
      await echo.send(message);
      await echo.receive();
    },
    async openToFirstByte(first) {
      const connection = await client.open(peer, "echo", { first });
      await connection.receive();
      return () => connection.close();
    },
  };
}

export async function connectReceiver(dial: Dial): Promise<StreamCount> {
  if (dial.variant === "json") return await connectJsonReceiver(dial);
  const client = await connectTo(dial);
  const count = new StreamCount();
  client.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
    await connection.close();
  });
  client.handle("stream", async (connection) => {
    for await (const message of connection) count.add(message.length);
    await connection.close();
    count.end();
  });
  return count;
}
