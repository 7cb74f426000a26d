import type { ControlFrame } from "@messagepasser/protocol";
import type { Channel, Route } from "./connection/channel.ts";
import type { Link } from "./link/link.ts";

/** Another client as this link knows it: an address, the name behind it, and the channels with it. */
export class Peer implements Route {
  readonly address: number;
  readonly name: string;
  /** By the id that frames from the peer carry. */
  readonly channels = new Map<number, Channel>();
  readonly #link: Link;

  constructor(link: Link, address: number, name: string) {
    this.#link = link;
    this.address = address;
    this.name = name;
  }

  frame(frame: ControlFrame): void {
    this.#link.frame(this.address, frame);
  }

  data(connection: number, flags: number, offset: number, previousSegment: number, payload: Uint8Array): number {
    return this.#link.data(this.address, connection, flags, offset, previousSegment, payload);
  }
}
