import { limits, protocolProblem, ProtocolError, type RouterFrameOf, utf8Length } from "@messagepasser/protocol";
import { fitsAny } from "./pattern.ts";

/** The protocols that a session serves, as patterns. */
export interface Services {
  /** Those for which the newest session of a name gets all opens. */
  readonly alone: readonly string[];
  /** Those whose opens are spread over all sessions of the name that share them. */
  readonly shared: readonly string[];
}

/** How a session serves a protocol. `maybe`: its client has sent no `serve` yet. */
export type Service = "alone" | "shared" | "maybe" | "none";

const nothing: Services = { alone: [], shared: [] };

/** How a session with these services serves a protocol. @param services `undefined` where its client has not said */
export function serviceOf(services: Services | undefined, protocol: string): Service {
  if (services === undefined) return "maybe";
  if (fitsAny(services.alone, protocol)) return "alone";
  return fitsAny(services.shared, protocol) ? "shared" : "none";
}

/** The services after a `serve` frame. @throws ProtocolError for patterns that are none, or too many */
export function servicesAfter(
  services: Services | undefined,
  { share, add, remove }: RouterFrameOf<"serve">,
): Services {
  for (const patterns of [add, remove])
    if (patterns.length > limits.maxServices)
      throw new ProtocolError(`More than ${limits.maxServices} protocols to add or remove in one frame`);
  for (const pattern of add) {
    const problem = protocolProblem(pattern);
    if (problem !== undefined) throw new ProtocolError(`A protocol to serve ${problem}`);
  }
  const taken = new Set([...add, ...remove]);
  const { alone, shared } = services ?? nothing;
  const kept = {
    alone: alone.filter((pattern) => !taken.has(pattern)),
    shared: shared.filter((pattern) => !taken.has(pattern)),
  };
  // A pattern in both lists is removed.
  const added = new Set(add.filter((pattern) => !remove.includes(pattern)));
  const after =
    share === 0 ? { ...kept, alone: [...kept.alone, ...added] } : { ...kept, shared: [...kept.shared, ...added] };
  const all = [...after.alone, ...after.shared];
  if (all.length > limits.maxServices) throw new ProtocolError(`More than ${limits.maxServices} protocols to serve`);
  if (all.reduce((sum, pattern) => sum + utf8Length(pattern), 0) > limits.maxServicesBytes)
    throw new ProtocolError(`More than ${limits.maxServicesBytes} bytes of protocols to serve`);
  return after;
}
