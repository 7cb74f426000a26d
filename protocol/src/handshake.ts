/**
 * Values of `Sec-WebSocket-Protocol`. A client asks for a format with them and, in a browser, also shows its ticket.
 * The router answers with the format: the first one offered that it knows.
 */
export const subprotocols = {
  native: "mp.v1",
  json: "mp.v1.json",
  msgpack: "mp.v1.msgpack",
  protobuf: "mp.v1.protobuf",
  /** The wire of the Go original, in JSON. */
  originalJson: "mp.v0.json",
  /** The same in gob. */
  originalGob: "mp.v0.gob",
  /** Begins the ticket of a browser, which can set no header. The router makes tickets, and never answers with one. */
  ticketPrefix: "mp.ticket.",
} as const;

/**
 * The text messages that show that a link is alive. The client sends `ping`, and the runtime answers `pong` without waking
 * the router. They are the same in every format and version.
 */
export const heartbeat = { ping: "mp:ping", pong: "mp:pong" } as const;

/** Headers of a request that no user may set: those that the client sets, and those of one hop (RFC 9110, 7.6.1). */
export const reservedHeaders =
  /^(?:authorization|connection|content-length|expect|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|sec-websocket-.*)$/i;
