import type { ByteReader } from "../bytes.ts";
import type { FramePlan } from "../codec.ts";
import type { FrameReader } from "./format.ts";

/** What the readers of all segment formats begin with: bytes, and the frames that there may be in them by type. */
export abstract class PlannedReader<Frame> implements FrameReader<Frame> {
  protected readonly reader: ByteReader;
  protected readonly plans: ReadonlyMap<number, FramePlan>;
  /** What such frames are called, in errors. */
  protected readonly range: string;

  constructor(reader: ByteReader, plans: ReadonlyMap<number, FramePlan>, range: string) {
    this.reader = reader;
    this.plans = plans;
    this.range = range;
  }

  get position(): number {
    return this.reader.position;
  }

  abstract next(): Frame | undefined;
}
