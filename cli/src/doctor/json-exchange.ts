import { subprotocols } from "@messagepasser/protocol";
import type { ClientSettings } from "../settings.ts";
import { wrong } from "./examination.ts";
import { greeting, protocol } from "./exchange.ts";
import { RawSocket } from "./raw-socket.ts";

type Frame = Readonly<Record<string, unknown>>;

/** Sends in JSON what a person would type who tries the router by hand: PROTOCOL.md, section 11. */
export async function checkJson(settings: ClientSettings, signal: AbortSignal): Promise<string> {
  using socket = await RawSocket.dial(settings, subprotocols.json, signal);
  const frames: Frame[] = [];
  const say = (frame: Frame): void => {
    socket.send(JSON.stringify(frame));
  };
  const hear = async (...types: readonly string[]): Promise<Frame> => {
    for (;;) {
      for (let frame = frames.shift(); frame !== undefined; frame = frames.shift()) {
        if (types.includes(String(frame["type"]))) return frame;
        if (frame["type"] === "refused" || frame["type"] === "reset" || frame["type"] === "closing")
          throw wrong(`The router answered with ${JSON.stringify(frame)}`);
        if (frame["type"] === "mark") say({ type: "reached", token: frame["token"] });
      }
      frames.push(...framesIn(await socket.next(signal)));
    }
  };
  await hear("welcome");
  const connection = { peer: "$echo", connection: `${settings.name}:1` };
  say({ type: "open", ...connection, protocol });
  await hear("accept");
  say({ type: "data", ...connection, text: greeting });
  const { text } = await hear("data");
  if (text !== greeting) throw wrong(`$echo sent back a different message in ${subprotocols.json}`);
  say({ type: "end", ...connection });
  await hear("end", "done");
  say({ type: "bye" });
  await hear("closing");
  return "$echo sent a message back";
}

function framesIn(message: string | Uint8Array): Frame[] {
  if (typeof message !== "string") throw wrong(`The router sent a binary message in ${subprotocols.json}`);
  try {
    // Anything but a frame has no type that is waited for.
    return [JSON.parse(message) as Frame | Frame[]].flat();
  } catch {
    throw wrong(`The router sent a message in ${subprotocols.json} that is not JSON`);
  }
}
