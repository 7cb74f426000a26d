import { subprotocols } from "@messagepasser/protocol";
import { connect, type Format } from "messagepasser";
import { msgpack } from "messagepasser/msgpack";
import { protobuf } from "messagepasser/protobuf";
import type { ClientSettings } from "../settings.ts";
import { checkEcho } from "./exchange.ts";
import { checkJson } from "./json-exchange.ts";
import { checkOriginal } from "../original/doctor-exchange.ts";

/** Connects in a format and exchanges messages with `$echo`. */
export type FormatCheck = (settings: ClientSettings, signal: AbortSignal) => Promise<string>;

/** The formats that can be checked, by subprotocol. */
export const formatChecks: ReadonlyMap<string, FormatCheck> = new Map<string, FormatCheck>([
  [subprotocols.native, (settings, signal) => checkPackage(settings, undefined, signal)],
  [subprotocols.json, checkJson],
  [subprotocols.msgpack, (settings, signal) => checkPackage(settings, msgpack, signal)],
  [subprotocols.protobuf, (settings, signal) => checkPackage(settings, protobuf, signal)],
  [subprotocols.originalJson, (settings, signal) => checkOriginal(settings, subprotocols.originalJson, signal)],
  [subprotocols.originalGob, (settings, signal) => checkOriginal(settings, subprotocols.originalGob, signal)],
]);

async function checkPackage(
  { url, ...settings }: ClientSettings,
  format: Format | undefined,
  signal: AbortSignal,
): Promise<string> {
  await using client = await connect(url, { ...settings, ...(format !== undefined && { format }), signal });
  return `$echo: ${await checkEcho(client, signal)}`;
}
