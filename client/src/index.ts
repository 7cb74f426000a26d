// What both entries export besides `connect`. Classes are exported for `instanceof` and as types: connect makes clients,
// clients make Connections. Frames, links and channels stay private, so that the wire can change without a major version.
export {
  Client,
  type CloseOptions,
  type Handler,
  type HandleOptions,
  type OpenOptions,
  type PeersOptions,
} from "./client.ts";
export type { ConnectOptions } from "./connect.ts";
export type { Format } from "./format.ts";
export type { PeerChange, PeerSession } from "./presence.ts";
export type { ConnectionStatus, LinkStatus, Status } from "./status.ts";
export { Connection, type WaitOptions } from "./connection/connection.ts";
export type { Message } from "./connection/message.ts";
export {
  ConnectionError,
  type ConnectionErrorCode,
  LinkError,
  type LinkErrorCode,
  MessagePasserError,
} from "./errors.ts";
