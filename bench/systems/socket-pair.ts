// Ends on two WebSockets that a server joins with two of the other end: one for streams, one for echoes.
import { type Dial, type EndModule, StreamCount } from "./end.ts";
import { WindowedReceiver, WindowedSender } from "./windowed.ts";

/** A WebSocket, of any library. */
export interface PairSocket {
  send(message: Uint8Array | string): void;
  onMessage(hear: (message: Uint8Array | ArrayBuffer | string) => void): void;
}

/**
 * Ends on a server that joins the two sockets with the same room.
 *
 * @param batchBytes as of `WindowedSender`.
 */
export function pairedEnds(join: (url: string, room: string) => Promise<PairSocket>, batchBytes = 0): EndModule {
  const joinBoth = async ({ url }: Dial, pair: string): Promise<readonly [stream: PairSocket, echo: PairSocket]> => [
    await join(url, `stream-${pair}`),
    await join(url, `echo-${pair}`),
  ];
  return {
    async connectSender(dial) {
      const [stream, echo] = await joinBoth(dial, `${dial.name}-${dial.peer}`);
      const sender = new WindowedSender(
        {
          send: (message) => stream.send(message),
          end: () => stream.send("end"),
          echo: (message) => echo.send(message),
        },
        batchBytes,
      );
      stream.onMessage(() => sender.credit());
      echo.onMessage(() => sender.echoed());
      return sender;
    },
    async connectReceiver(dial) {
      const [stream, echo] = await joinBoth(dial, `${dial.peer}-${dial.name}`);
      const count = new StreamCount();
      const receiver = new WindowedReceiver(count, () => stream.send("credit"));
      stream.onMessage((message) => {
        if (typeof message === "string") count.end();
        else receiver.add(message.byteLength);
      });
      echo.onMessage((message) => echo.send(message instanceof ArrayBuffer ? new Uint8Array(message) : message));
      return count;
    },
  };
}
