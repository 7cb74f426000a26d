// An entry of its own, so that who doesn't use the format doesn't ship it.
import { protobuf as segmentFormat } from "@messagepasser/protocol/protobuf";
import type { Format } from "./format.ts";

/** Frames in Protobuf. */
export const protobuf: Format = segmentFormat;
