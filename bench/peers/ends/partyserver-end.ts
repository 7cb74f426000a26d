// The ends on PartyServer: its client, used as anybody would.
import { once } from "node:events";
import { PartySocket } from "partysocket";
import WebSocket from "ws";
import { type Dial, type ReceivingEnd, type SendingEnd, StreamCount } from "../../ends/end.ts";
import { WindowedReceiver, WindowedSender } from "../../ends/windowed.ts";

const credit = "credit";
const endOfStream = "end";

/** On Node its documentation has the package `ws`. workerd would compress, were it asked to. */
class PlainWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { perMessageDeflate: false });
  }
}

interface PartyMessage {
  readonly data: ArrayBuffer | string;
}

async function join(host: string, room: string): Promise<PartySocket> {
  const socket = new PartySocket({ host, party: "relay", room, WebSocket: PlainWebSocket });
  socket.binaryType = "arraybuffer";
  await once(socket, "open");
  return socket;
}

/** A stream has a room for itself; so has the echo. */
async function roomsOf({ url }: Dial, pair: string): Promise<{ stream: PartySocket; echo: PartySocket }> {
  return { stream: await join(url, `stream-${pair}`), echo: await join(url, `echo-${pair}`) };
}

class PartySender implements SendingEnd {
  readonly #echo: PartySocket;
  readonly #sender: WindowedSender;
  #onEcho: () => void = () => undefined;

  constructor(stream: PartySocket, echo: PartySocket) {
    this.#echo = echo;
    this.#sender = new WindowedSender({
      send: (message) => {
        stream.send(message);
      },
      end: () => {
        stream.send(endOfStream);
      },
    });
    stream.addEventListener("message", () => {
      this.#sender.credit();
    });
    echo.addEventListener("message", () => {
      this.#onEcho();
    });
  }

  startStream(messageBytes: number): Promise<void> {
    this.#sender.start(messageBytes);
    return Promise.resolve();
  }

  async stopStream(): Promise<number> {
    return await this.#sender.stop();
  }

  roundTrip(message: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#onEcho = resolve;
      // The benchmark's messages are in memory that no other thread shares.
      this.#echo.send(message as Uint8Array<ArrayBuffer>);
    });
  }

  /** Nothing has to be opened here. */
  openToFirstByte(message: Uint8Array): Promise<void> {
    return this.roundTrip(message);
  }
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  const { stream, echo } = await roomsOf(dial, `${dial.name}-${dial.peer}`);
  return new PartySender(stream, echo);
}

export async function connectReceiver(dial: Dial): Promise<ReceivingEnd> {
  const { stream, echo } = await roomsOf(dial, `${dial.peer}-${dial.name}`);
  const streams = new StreamCount();
  const receiver = new WindowedReceiver(streams, () => {
    stream.send(credit);
  });
  stream.addEventListener("message", ({ data }: PartyMessage) => {
    if (typeof data === "string") receiver.end();
    else receiver.add(data.byteLength);
  });
  echo.addEventListener("message", ({ data }: PartyMessage) => {
    echo.send(data);
  });
  return { streams };
}
