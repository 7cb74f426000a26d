import { errorCodes } from "@messagepasser/protocol";
import type { Channel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import type { Message } from "./message.ts";

/** What arrives on a channel as bytes. Cancelling stops the other end; nothing is read ahead of the reader. */
export function readableOf(channel: Channel): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        let piece: Uint8Array | undefined;
        // A stream of bytes has no empty chunks.
        do piece = await channel.receiver.receivePiece();
        while (piece?.length === 0);
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
      cancel(reason) {
        channel.reset(
          errorCodes.aborted,
          String(reason ?? ""),
          channel.error("aborted", "its readable side was cancelled"),
        );
      },
    },
    { highWaterMark: 0 },
  );
}

/** A stream whose chunks are sent as messages, as fast as the other end takes them. */
export function writableOf(connection: Connection): WritableStream<Message> {
  return new WritableStream({
    write: (message) => connection.send(message),
    close: () => connection.end(),
    abort: (reason) => {
      connection.abort(String(reason ?? ""));
    },
  });
}
