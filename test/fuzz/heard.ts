import { routerAddress, SegmentReader } from "@messagepasser/protocol";
import type { Format, SegmentFormat, WireMessage } from "@messagepasser/protocol/formats";
import { gobDefinition, GobReader } from "../../protocol/src/original/gob.ts";

/** The parts of a message that a client of a by-name format may have to answer. */
export interface Heard {
  readonly peer: string;
  /** The name of a Connection, or of a mark. */
  readonly connection: string | undefined;
  readonly token: string | undefined;
}

/**
 * Reads what a client was sent, as strictly as there is a rule for it: what it can't read would end it.
 *
 * @param unread addresses whose segments the router passes on as they are.
 * @throws Error for what no client should get.
 */
export function heardBy(format: Format, messages: readonly WireMessage[], unread: ReadonlySet<number>): Heard[] {
  if (format.addressing === "address") {
    for (const message of messages) readBatch(format, message, unread);
    return [];
  }
  switch (format.subprotocol) {
    case "mp.v1.json":
      return messages.flatMap(readJson);
    case "mp.v0.json":
      return messages.flatMap((message) => String(message).split("\n").filter(Boolean).map(readLine));
    case "mp.v0.gob":
      return messages.flatMap(readGob);
    default:
      throw new Error(`Nobody knows how to read ${format.subprotocol}`);
  }
}

function readBatch(format: SegmentFormat, message: WireMessage, unread: ReadonlySet<number>): void {
  if (typeof message === "string") throw new Error("A text for a client of a binary format");
  const segments = new SegmentReader(message);
  while (segments.next()) {
    const { address, start, end } = segments;
    if (unread.has(address)) continue;
    const frames =
      address === routerAddress ? format.routerFrames(message, start, end) : format.peerFrames(message, start, end);
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
      if (["list", "bye", "measure", "resume", "reached", "check", "watch", "unwatch"].includes(frame.kind))
        throw new Error(`A client is told "${frame.kind}", which only clients say`);
      // Only an open to the router has the router's address.
      if (frame.kind === "open" && frame.address === routerAddress)
        throw new Error("A client is told an open without opener");
    }
  }
}

/** Each type that a client of JSON is to know: PROTOCOL.md, section 11. */
const jsonTypes = new Set(
  "welcome open accept refused data end stop done reset credit gone mark peers present left snapshot closing".split(
    " ",
  ),
);

function readJson(message: WireMessage): Heard[] {
  // The only characters that JSON.stringify writes in this way are halves of pairs, of which no text may consist.
  if (/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(message as string)) throw new Error("A text that is not well-formed");
  const value: unknown = JSON.parse(message as string);
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map((frame) => {
    const { type, peer = "", connection, token } = frame as Record<string, string | undefined>;
    if (type === undefined || !jsonTypes.has(type)) throw new Error(`A client is told "${type}", which is no type`);
    if (connection !== undefined && !/:[1-9]\d*$/.test(connection))
      throw new Error(`A Connection by the name "${connection}"`);
    return { peer, connection, token };
  });
}

function readLine(line: string): Heard {
  const { Meta, OtherClient, ConnectionID } = JSON.parse(line) as Record<string, string>;
  return originalHeard(Number(Meta), OtherClient, ConnectionID);
}

function readGob(message: WireMessage): Heard[] {
  return Array.from(new GobReader(gobDefinition).read(message as Uint8Array), ({ meta, otherClient, connectionId }) =>
    originalHeard(meta, otherClient, connectionId),
  );
}

function originalHeard(meta: number, peer = "", connection = ""): Heard {
  if (![0, 2, 3, 4, 5, 6, 7, 9, 10].includes(meta)) throw new Error(`A client is told meta ${meta}`);
  if (connection.startsWith("$mark:")) return { peer, connection: undefined, token: connection.slice("$mark:".length) };
  if (connection !== "" && !/:[0-9a-f]+$/.test(connection)) throw new Error(`A Connection by the name "${connection}"`);
  return { peer, connection: connection === "" ? undefined : connection, token: undefined };
}
