// An entry of its own, so that who doesn't use the format doesn't ship it.
import { msgpack as segmentFormat } from "@messagepasser/protocol/msgpack";
import type { Format } from "./format.ts";

/** Frames in MessagePack. */
export const msgpack: Format = segmentFormat;
