import { type Peer, startPeer } from "./peer.ts";
import { Population } from "./population.ts";
import type { Role, RunningSystem, System } from "./systems/system.ts";

/** The ends of one system, in two processes. */
export interface Ends {
  readonly sender: Peer;
  readonly receiver: Peer;
  /** The server's processes. */
  readonly serverIds: readonly number[];
}

/** How many ends there are, and who sends to whom: pairs, or all senders to one receiver. */
export interface Cast {
  readonly senders: number;
  readonly receivers: number;
}

export const onePair: Cast = { senders: 1, receivers: 1 };

/** What is up: systems and their ends, started when a scenario first asks for them. Those that wait do nothing. */
export class Stage implements AsyncDisposable {
  readonly #profileFolder: string | undefined;
  readonly #stack = new AsyncDisposableStack();
  readonly #systems = new Map<string, Promise<RunningSystem>>();
  readonly #ends = new Map<string, Promise<Ends>>();
  readonly #populations = new Map<number, Promise<Population>>();
  readonly #absent = new Set<string>();

  /** @param profileFolder where the Node processes with ends leave CPU profiles; undefined for none. */
  constructor(profileFolder?: string) {
    this.#profileFolder = profileFolder;
  }

  /** @throws AbsentError */
  system(system: System): Promise<RunningSystem> {
    return remembered(this.#systems, system.name, async () => this.#stack.use(await system.start()));
  }

  /** @throws AbsentError */
  ends(system: System, cast: Cast = onePair): Promise<Ends> {
    const which = `${cast.senders}-${cast.receivers}`;
    return remembered(this.#ends, `${system.name} ${which}`, async () => {
      const running = await this.system(system);
      const start = async (role: Role, pairs: readonly (readonly [name: string, peer: string])[]): Promise<Peer> => {
        const dials = await Promise.all(pairs.map(([name, peer]) => running.dial(role, name, peer)));
        return this.#stack.use(
          await startPeer(running, role, dials, this.#nodeOptions(`${system.name}-${which}-${role}`)),
        );
      };
      const sender = (at: number): string => `sender-${which}-${at}`;
      const receiver = (at: number): string => `receiver-${which}-${at % cast.receivers}`;
      const numbers = [...Array(cast.senders).keys()];
      return {
        receiver: await start(
          "receiver",
          numbers.slice(0, cast.receivers).map((at) => [receiver(at), sender(at)]),
        ),
        sender: await start(
          "sender",
          numbers.map((at) => [sender(at), receiver(at)]),
        ),
        serverIds: running.processIds,
      };
    });
  }

  /** The state of a router that knows this many clients. */
  population(count: number): Promise<Population> {
    return remembered(this.#populations, count, async () => this.#stack.use(await Population.make(count)));
  }

  /** Of all systems that are up. */
  async versions(): Promise<Record<string, string>> {
    const versions: Record<string, string> = {};
    for (const [name, running] of this.#systems) {
      // Who is absent has none.
      await running.then(
        ({ version }) => (versions[name] = version),
        () => undefined,
      );
    }
    return versions;
  }

  /** True once for each name. */
  isFirstAbsence(name: string): boolean {
    if (this.#absent.has(name)) return false;
    this.#absent.add(name);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #nodeOptions(name: string): string[] {
    if (this.#profileFolder === undefined) return [];
    return ["--cpu-prof", `--cpu-prof-dir=${this.#profileFolder}`, `--cpu-prof-name=${name}.cpuprofile`];
  }
}

function remembered<Key, T>(known: Map<Key, Promise<T>>, key: Key, make: () => Promise<T>): Promise<T> {
  const made = known.get(key) ?? make();
  known.set(key, made);
  return made;
}
