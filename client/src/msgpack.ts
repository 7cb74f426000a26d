import { msgpack as segmentFormat } from "@messagepasser/protocol/msgpack";
import type { Format } from "./format.ts";

/** Frames in MessagePack. */
export const msgpack: Format = segmentFormat;
