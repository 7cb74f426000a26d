import type { DataFrame } from "@messagepasser/protocol";
import type { Channel } from "./channel.ts";
import type { Message } from "./message.ts";

/** A stream of the bytes that arrive on a channel. Cancelling tells the other end to stop; nothing is read ahead. */
export function readableOf(channel: Channel): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        let piece: Uint8Array | undefined;
        // A stream of bytes has no empty chunks.
        do piece = (await channel.receiver.receivePiece())?.payload;
        while (piece?.length === 0);
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
      cancel() {
        channel.stop();
      },
    },
    { highWaterMark: 0 },
  );
}

/** What a stream of messages is written to. */
interface MessageSink {
  send(message: Message): Promise<void>;
  end(): Promise<void>;
  abort(reason: string): void;
}

/** A stream whose chunks are sent as messages, as fast as the other end takes them. */
export function writableOf(sink: MessageSink): WritableStream<Message> {
  return new WritableStream({
    start(controller) {
      // Node's type of it lacks what Node has.
      const { signal } = controller as unknown as { readonly signal: AbortSignal };
      // Not the sink's own abort, which waits for a write that may itself wait for the other end's window.
      signal.addEventListener("abort", () => {
        // Only a string goes to the other end: an Error may have private paths in it.
        sink.abort(typeof signal.reason === "string" ? signal.reason : "");
      });
    },
    write: (message) => sink.send(message),
    close: () => sink.end(),
  });
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Sends back what arrives until the other end has ended its direction. Piece by piece: no message has to fit into memory. */
export async function echo(channel: Channel): Promise<void> {
  let piece: DataFrame | undefined;
  while ((piece = await channel.receiver.receivePiece()) !== undefined)
    await channel.send(piece.text ? decoder.decode(piece.payload) : piece.payload, undefined);
  await channel.close(undefined);
}
