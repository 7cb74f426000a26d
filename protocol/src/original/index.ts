import { gob } from "./gob-format.ts";
import { json } from "./json.ts";

export { encodeGob, gobDefinition, GobReader } from "./gob.ts";
export { readJson, writeJson } from "./json.ts";
export { type Message, metas } from "./message.ts";
export { gob, json };

/** The formats in which the router speaks the original's wire. */
export const formats = [json, gob];
