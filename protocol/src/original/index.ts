// The original's wire for who speaks it without a router's Connections between: the bridge of the `mp` command.
export { encodeGob, gobDefinition, GobReader } from "./gob.ts";
export { metas, type OriginalMessage } from "./message.ts";
