import { msgpack } from "messagepasser/msgpack";
import { protobuf } from "messagepasser/protobuf";
import type { Realm } from "../realm.ts";
import { jsonTalker } from "./json-talker.ts";
import { originalTalker } from "./original-talker.ts";
import { packageTalker } from "./package-talker.ts";
import type { Talker } from "./talk.ts";

/** Makes a client of each format, by its subprotocol. */
export const talkers = {
  "mp.v1": (realm: Realm, name: string) => packageTalker(realm, name),
  "mp.v1.json": (realm: Realm, name: string) => jsonTalker(realm, name),
  "mp.v1.msgpack": (realm: Realm, name: string) => packageTalker(realm, name, msgpack),
  "mp.v1.protobuf": (realm: Realm, name: string) => packageTalker(realm, name, protobuf),
  "mp.v0.json": (realm: Realm, name: string) => originalTalker(realm, name, "json"),
  "mp.v0.gob": (realm: Realm, name: string) => originalTalker(realm, name, "gob"),
} as const satisfies Record<string, (realm: Realm, name: string) => Promise<Talker>>;

export type FormatName = keyof typeof talkers;
export const formatNames = Object.keys(talkers) as FormatName[];
