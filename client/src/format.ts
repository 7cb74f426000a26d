/**
 * A wire format, as `messagepasser/msgpack` and `messagepasser/protobuf` export one. Each format is an entry of its own,
 * such as msgpack.ts, around a `SegmentFormat` of the protocol, so that programs that don't import it don't ship it.
 */
export interface Format {
  /** The WebSocket subprotocol by which the client asks the router for it. */
  readonly subprotocol: string;
}
