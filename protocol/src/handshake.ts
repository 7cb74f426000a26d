/**
 * Values of `Sec-WebSocket-Protocol`, by which a client asks for a format and, in a browser, says who it is. The router
 * answers with the format that it took: the first of those offered that it knows.
 */
export const subprotocols = {
  native: "mp.v1",
  json: "mp.v1.json",
  msgpack: "mp.v1.msgpack",
  protobuf: "mp.v1.protobuf",
  /** The wire of the Go program that this one takes after, in JSON. */
  originalJson: "mp.v0.json",
  /** The same in gob. */
  originalGob: "mp.v0.gob",
  /** Then base64url, unpadded, of `name:secret` in UTF-8: a browser's way, since it can set no header. Never answered. */
  credentialsPrefix: "mp.auth.",
} as const;

/**
 * The text messages that show a link alive: the client sends `ping`, the runtime answers `pong` without waking the router.
 * The same for every format and version.
 */
export const heartbeat = { ping: "mp:ping", pong: "mp:pong" } as const;
