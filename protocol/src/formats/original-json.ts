import { fromBase64, toBase64 } from "../base64.ts";
import { subprotocols } from "../handshake.ts";
import { ProtocolError } from "../protocol-error.ts";
import type { NamedFormat } from "./named.ts";
import { originalFormat } from "./original.ts";
import type { OriginalMessage } from "./original-message.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `mp.v0.json`: JSON values as Go's encoding/json writes them, each on a line. Text or binary messages come, text goes. */
export const originalJson: NamedFormat = originalFormat({
  subprotocol: subprotocols.originalJson,
  preamble: [],
  read: (message) =>
    textOf(message)
      .split("\n")
      .filter((line) => line !== "")
      .map(readLine),
  write: ({ meta, otherClient, connectionId, data }) => {
    // Where there are no bytes Go writes null, and its client takes an accept with anything else for a refusal.
    const Data = data.length === 0 ? null : toBase64(data);
    return `${JSON.stringify({ Meta: meta, OtherClient: otherClient, ConnectionID: connectionId, Data })}\n`;
  },
});

function textOf(message: string | Uint8Array): string {
  if (typeof message === "string") return message;
  try {
    return decoder.decode(message);
  } catch {
    throw new ProtocolError("Message that is not UTF-8");
  }
}

function readLine(line: string): OriginalMessage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new ProtocolError("Line that is not JSON");
  }
  if (typeof value !== "object" || value === null) throw new ProtocolError("Line that is not a JSON object");
  const fields = new Map<string, unknown>(Object.entries(value));
  const [meta = 0, otherClient = "", connectionId = ""] = ["Meta", "OtherClient", "ConnectionID"].map((name) =>
    fields.get(name),
  );
  if (!isU8(meta)) throw new ProtocolError('"Meta" that is not a number from 0 to 255');
  if (!isText(otherClient)) throw new ProtocolError('"OtherClient" that is not a well-formed text');
  if (!isText(connectionId)) throw new ProtocolError('"ConnectionID" that is not a well-formed text');
  const text = fields.get("Data") ?? "";
  const data = typeof text === "string" ? fromBase64(text) : undefined;
  if (data === undefined) throw new ProtocolError('"Data" that is neither base64 nor null');
  return { meta, otherClient, connectionId, data };
}

function isU8(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed();
}
