/** Values of `Sec-WebSocket-Protocol`, by which a client asks for a format and, in a browser, says who it is. */
export const subprotocols = {
  /** The native format. The router answers with the format that it took. */
  native: "mp.v1",
  /** Then base64url, unpadded, of `name:secret` in UTF-8: a browser's way, since it can set no header. Never answered. */
  credentialsPrefix: "mp.auth.",
} as const;

/**
 * The text messages that show a link alive: the client sends `ping`, the runtime answers `pong` without waking the router.
 * The same for every format and version.
 */
export const heartbeat = { ping: "mp:ping", pong: "mp:pong" } as const;
