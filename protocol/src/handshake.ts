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

/**
 * Whether HTTP/1.1 can carry a header (RFC 9110, 5.1 and 5.5): the name is a token, and the value has only tabs and
 * characters of Latin-1 that print. Node's own check would load all of its `fetch`, since an import of `node:http` does.
 */
export function isHeader(name: string, value: unknown): boolean {
  const isName = /^[!#$%&'*+\-.^_`|~\w]+$/.test(name);
  return isName && typeof value === "string" && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

/** Headers of a request that no user may set: those that the client sets, and those of one hop (RFC 9110, 7.6.1). */
export const reservedHeaders =
  /^(?:authorization|connection|content-length|expect|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|sec-websocket-.*)$/i;
