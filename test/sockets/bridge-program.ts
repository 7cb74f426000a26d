import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import { encodeGob, gobDefinition, GobReader } from "../../protocol/src/original/gob.ts";
import type { Message } from "../../protocol/src/original/message.ts";
import { Inbox } from "./formats/talk.ts";
import type { Realm } from "./realm.ts";

export const writings = ["gob", "json"] as const;

export type Writing = (typeof writings)[number];

/** As Go's encoding/json writes it. */
interface GoMessage {
  readonly Meta: number;
  readonly OtherClient: string;
  readonly ConnectionID: string;
  readonly Data: string | null;
}

let lastName = 0;

/** A name that no program of this file has yet. */
export const nextName = (): string => `program ${++lastName}`;

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** A program of the original: says messages, and hears them in order. */
export class Program {
  readonly name: string;
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  readonly #writing: Writing;
  readonly #heard = new Inbox<Message>();
  readonly #reader = new GobReader(new Uint8Array());
  #rest = Buffer.alloc(0);

  private constructor(socket: Socket, name: string, writing: Writing) {
    this.socket = socket;
    this.name = name;
    this.#writing = writing;
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("data", (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      for (let part = this.#next(); part !== undefined; part = this.#next())
        for (const message of part) this.#heard.put(message);
    });
  }

  static async at(port: number, writing: Writing, name = nextName()): Promise<Program> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => undefined);
    await once(socket, "connect");
    const program = new Program(socket, name, writing);
    if (writing === "gob") socket.write(gobDefinition);
    return program;
  }

  /** One that the router lets in. */
  static async in(realm: Pick<Realm, "secretOf">, port: number, writing: Writing, name = nextName()): Promise<Program> {
    const program = await Program.at(port, writing, name);
    program.say(8, name, "", await realm.secretOf(name));
    expect(await program.hears()).toEqual({ meta: 9, otherClient: name, connectionId: "", data: new Uint8Array() });
    return program;
  }

  say(meta: number, otherClient: string, connectionId = "", data: Uint8Array | string = ""): boolean {
    return this.socket.write(this.bytes(meta, otherClient, connectionId, data));
  }

  bytes(meta: number, otherClient: string, connectionId = "", data: Uint8Array | string = ""): Uint8Array {
    const bytes = typeof data === "string" ? bytesOf(data) : data;
    if (this.#writing === "gob") return encodeGob({ meta, otherClient, connectionId, data: bytes });
    const Data = bytes.length === 0 ? null : Buffer.from(bytes).toString("base64");
    return bytesOf(`${JSON.stringify({ Meta: meta, OtherClient: otherClient, ConnectionID: connectionId, Data })}\n`);
  }

  hears(): Promise<Message> {
    return this.#heard.take();
  }

  /** The data of the next message, which has to be one of a Connection. */
  async hearsData(connectionId: string): Promise<Uint8Array> {
    const message = await this.hears();
    expect(message).toMatchObject({ meta: 0, connectionId });
    return message.data;
  }

  async hearsText(connectionId: string): Promise<string> {
    return Buffer.from(await this.hearsData(connectionId)).toString();
  }

  /** Hears of an open, and takes it. Returns the Connection's id. */
  async accepts(peer: string, protocol: string): Promise<string> {
    const { connectionId, ...message } = await this.hears();
    expect(message).toEqual({ meta: 5, otherClient: peer, data: bytesOf(protocol) });
    expect(connectionId).toMatch(new RegExp(`^${peer}:[0-9a-f]+$`));
    this.say(6, peer, connectionId);
    return connectionId;
  }

  /** The messages that are whole. */
  #next(): Message[] | undefined {
    const size = this.#writing === "json" ? this.#rest.indexOf("\n") + 1 : gobSize(this.#rest);
    if (size === 0 || size > this.#rest.length) return undefined;
    const part = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    if (this.#writing === "gob")
      return Array.from(this.#reader.read(part), (message) => ({ ...message, data: new Uint8Array(message.data) }));
    const { Meta, OtherClient, ConnectionID, Data } = JSON.parse(part.toString()) as GoMessage;
    const data = new Uint8Array(Buffer.from(Data ?? "", "base64"));
    return [{ meta: Meta, otherClient: OtherClient, connectionId: ConnectionID, data }];
  }
}

/** With its length in front; 0 where that isn't all there. */
function gobSize(bytes: Buffer): number {
  const first = bytes[0] ?? 0;
  if (first < 0x80) return bytes.length === 0 ? 0 : 1 + first;
  const digits = 0x100 - first;
  return bytes.length <= digits ? 0 : 1 + digits + bytes.readUIntBE(1, digits);
}
