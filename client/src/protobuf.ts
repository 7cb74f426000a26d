import { protobuf as segmentFormat } from "@messagepasser/protocol/protobuf";
import type { Format } from "./format.ts";

/** Frames in Protobuf. */
export const protobuf: Format = segmentFormat;
