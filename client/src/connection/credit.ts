import type { Downlink, Granter } from "../link/downlink.ts";
import type { Path } from "./path.ts";
import { WindowTuner } from "./window.ts";

/** The credit of one receiver: says how much it may grant and when, and tells its link what was granted and has arrived. */
export class Credit {
  readonly #downlink: Downlink;
  readonly #tuner: WindowTuner;
  readonly #granter: Granter;
  /** The link was told of all below this offset that it has arrived. */
  #told = 0;
  /** Once something past this offset has come, `arrived` wants to know. */
  tellAt = Infinity;

  constructor(now: () => number, { roundTrip, downlink }: Pick<Path, "roundTrip" | "downlink">, granter: Granter) {
    this.#downlink = downlink;
    this.#tuner = new WindowTuner(now, roundTrip);
    this.#granter = granter;
  }

  get windowBytes(): number {
    return Math.min(this.#tuner.windowBytes, this.#downlink.windowBytes(this.#tuner.roundTripMs));
  }

  get firstWindowBytes(): number {
    return Math.min(this.#tuner.windowBytes, this.#downlink.firstWindowBytes);
  }

  /** The most that may be granted at once. */
  get mostStepBytes(): number {
    return this.#downlink.stepBytes;
  }

  /**
   * Whether enough can be granted to be worth a frame. A larger part of the window would leave a sender far away without
   * credit half of the time. Asked for each message, so it works the window out once.
   *
   * @param unusedBytes what is granted and was not taken
   */
  isDue(unusedBytes: number): boolean {
    const { windowBytes } = this;
    return windowBytes - unusedBytes >= Math.min(windowBytes / 4, this.#downlink.stepBytes);
  }

  /** Asks for a turn to grant. */
  request(): void {
    this.#downlink.request(this.#granter);
  }

  /** From here on, what comes was granted. */
  begin(received: number): void {
    this.#told = received;
  }

  /** Something is about to be granted. @param taken the offset up to which all was taken. @param limit the limit until now. */
  update(taken: number, limit: number): void {
    this.#tuner.update(taken, limit);
  }

  granted(bytes: number): void {
    this.#downlink.granted(bytes);
    this.#tellNext();
  }

  /** All below this offset has arrived. */
  arrived(received: number): void {
    const bytes = received - this.#told;
    this.#told = received;
    if (received > this.#tuner.probeLimit) this.#downlink.measured(this.#tuner.passed());
    this.#tellNext();
    this.#downlink.arrived(bytes);
  }

  /** The other end has given back what was granted. */
  yielded(bytes: number): void {
    this.#downlink.ungranted(bytes);
  }

  /** Nothing more comes of what was granted up to this limit. */
  end(limit: number): void {
    this.#downlink.ungranted(limit - this.#told);
    this.#told = limit;
  }

  #tellNext(): void {
    const stepBytes = Math.min(this.windowBytes, this.#downlink.stepBytes) / 4;
    this.tellAt = Math.min(this.#tuner.probeLimit, this.#told + stepBytes);
  }
}
