import { subprotocols } from "@messagepasser/protocol";
import { type Message, metas } from "@messagepasser/protocol/original";
import { GobStream } from "./gob-stream.ts";
import { JsonStream } from "./json-stream.ts";
import { messageOf, textOf } from "./message.ts";
import type { ClientSettings } from "../settings.ts";
import { wrong } from "../doctor/examination.ts";
import { greeting, protocol } from "../doctor/exchange.ts";
import { RawSocket } from "../doctor/raw-socket.ts";

type Subprotocol = typeof subprotocols.originalGob | typeof subprotocols.originalJson;

/** More than any message of this exchange. */
const maxBytes = 65_536;

/** Exchanges a message with `$echo` as a program of the original would over a WebSocket. FORMATS.md describes its wire. */
export async function checkOriginal(
  settings: ClientSettings,
  format: Subprotocol,
  signal: AbortSignal,
): Promise<string> {
  using socket = await RawSocket.dial(settings, format, signal);
  const stream = new (format === subprotocols.originalGob ? GobStream : JsonStream)(maxBytes);
  const heard: Message[] = [];
  const say = (meta: number, otherClient: string, id?: string, data?: string): void => {
    socket.send(stream.write(messageOf(meta, otherClient, id, data)));
  };
  const hear = async (meta: number): Promise<Message> => {
    while (heard.length === 0) {
      const message = await socket.next(signal);
      heard.push(...stream.read(typeof message === "string" ? Buffer.from(message) : message));
    }
    const [message = messageOf(NaN, "")] = heard.splice(0, 1);
    if (message.meta !== meta) throw wrong(`The router sent Meta ${message.meta} in ${format} instead of ${meta}`);
    return message;
  };
  const { name } = settings;
  say(metas.auth, name);
  await hear(metas.authOk);
  const id = `${name}:0`;
  say(metas.open, "$echo", id, protocol);
  await hear(metas.accept);
  say(metas.data, "$echo", id, greeting);
  if (textOf(await hear(metas.data)) !== greeting) throw wrong(`$echo sent back a different message in ${format}`);
  say(metas.closed, "$echo", id);
  return "$echo sent a message back";
}
