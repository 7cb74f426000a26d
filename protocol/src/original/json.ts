import { fromBase64, toBase64 } from "../base64.ts";
import type { NamedFormat } from "../formats/named.ts";
import { subprotocols } from "../handshake.ts";
import { ProtocolError } from "../protocol-error.ts";
import { formatFor } from "./format.ts";
import type { Message } from "./message.ts";

/** More fields than the original has. It ignores the fields that it doesn't know. */
const maxFields = 16;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `mp.v0.json`: JSON as Go's encoding/json writes it, one object a line. Clients send text or binary messages, and receive text. */
export const json: NamedFormat = formatFor({
  subprotocol: subprotocols.originalJson,
  preamble: [],
  *read(message) {
    const text = textOf(message);
    for (let [start, end] = [0, 0]; start < text.length; start = end + 1) {
      end = text.indexOf("\n", start);
      if (end === -1) end = text.length;
      if (end > start) yield readJson(text.slice(start, end));
    }
  },
  write: writeJson,
  join: (lines) => lines.join(""),
});

function textOf(message: string | Uint8Array): string {
  if (typeof message === "string") return message;
  try {
    return decoder.decode(message);
  } catch {
    throw new ProtocolError("Message that is not UTF-8");
  }
}

/** Writes a message as one line, line feed included. */
export function writeJson({ meta, otherClient, connectionId, data }: Message): string {
  // For no bytes Go writes null. The original takes an accept with anything else for a refusal.
  const Data = data.length === 0 ? null : toBase64(data);
  return `${JSON.stringify({ Meta: meta, OtherClient: otherClient, ConnectionID: connectionId, Data })}\n`;
}

/** Reads a message from one JSON object. @throws ProtocolError */
export function readJson(line: string): Message {
  if (!isFlat(line)) throw new ProtocolError("Line that is not an object of texts and numbers");
  let fields: Map<string, unknown>;
  try {
    fields = new Map(Object.entries(JSON.parse(line) as object));
  } catch {
    throw new ProtocolError("Line that is not JSON");
  }
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

/**
 * Whether a line is one object of few fields, with nothing nested in it. A parser would turn a few million brackets into
 * a hundred times their memory.
 */
function isFlat(line: string): boolean {
  const quotes = /["\\{}[\],]/g;
  let [isInText, commas] = [false, 0];
  for (let match = quotes.exec(line); match !== null; match = quotes.exec(line)) {
    const [character] = match;
    if (isInText) {
      if (character === "\\") quotes.lastIndex++;
      else if (character === '"') isInText = false;
    } else if (character === '"') isInText = true;
    else if (character === ",") commas++;
    else if (character === "[" || character === "]" || (character === "{" && match.index !== 0)) return false;
    if (commas >= maxFields) return false;
  }
  return line.startsWith("{");
}

function isU8(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed();
}
