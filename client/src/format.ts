/** A way to write frames on the wire, as "messagepasser/msgpack" and "messagepasser/protobuf" export one. */
export interface Format {
  /** The WebSocket subprotocol by which the client asks the router for it. */
  readonly subprotocol: string;
}
