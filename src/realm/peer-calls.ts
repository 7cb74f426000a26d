import { ByteReader, ByteWriter, limits, utf8Length } from "@messagepasser/protocol";

/** What a client of a by-name format calls its peers on other shards. */
export class PeerCalls {
  readonly #byAddress = new Map<number, string>();
  readonly #byCall = new Map<string, number>();
  /** How many bytes `attached` has. */
  bytes = 0;

  /** @param attached as `attached` wrote it */
  constructor(attached?: Uint8Array) {
    if (attached === undefined) return;
    const reader = new ByteReader(attached);
    while (reader.position < reader.end) this.set(reader.u32(), reader.text(limits.maxLabelBytes));
  }

  callOf(address: number): string | undefined {
    return this.#byAddress.get(address);
  }

  addressOf(call: string): number | undefined {
    return this.#byCall.get(call);
  }

  /** @param address one without a call */
  set(address: number, call: string): void {
    this.#byAddress.set(address, call);
    this.#byCall.set(call, address);
    this.bytes += bytesOf(call);
  }

  delete(address: number): void {
    const call = this.#byAddress.get(address);
    if (call === undefined) return;
    this.#byAddress.delete(address);
    this.#byCall.delete(call);
    this.bytes -= bytesOf(call);
  }

  /** All of them, as a link's attachment has them; `undefined` for none. */
  attached(): Uint8Array | undefined {
    if (this.bytes === 0) return undefined;
    const writer = new ByteWriter();
    for (const [address, call] of this.#byAddress) {
      writer.u32(address);
      writer.text(call);
    }
    return writer.take();
  }
}

/** The bytes of an attachment that a call takes, with its address. */
export function bytesOf(call: string): number {
  return 6 + utf8Length(call);
}
