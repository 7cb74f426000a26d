import type { ByteReader } from "../bytes.ts";
import type { FramePlan } from "../codec.ts";
import type { FrameReader } from "./format.ts";

/** The base of all readers of segment formats: the bytes, and the frames that they may contain, by type. */
export abstract class PlannedReader<Frame> implements FrameReader<Frame> {
  protected readonly reader: ByteReader;
  protected readonly plans: ReadonlyMap<number, FramePlan>;
  /** What errors call such frames. */
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
