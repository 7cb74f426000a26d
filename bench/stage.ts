import { join } from "node:path";
import { Child } from "./processes/child.ts";
import { compiled, nodeCommand } from "./processes/compiled.ts";
import type { EndCalls } from "./processes/ends-process.ts";
import type { Role } from "./systems/end.ts";
import type { RunningSystem, System } from "./systems/system.ts";

/** The ends of one system, in two processes. */
export interface Ends {
  readonly sender: Child<EndCalls>;
  readonly receiver: Child<EndCalls>;
  /** The server's processes. */
  readonly serverIds: readonly number[];
}

/** How many ends there are. Each sender has a receiver of its own, or all senders have the same one. */
export interface Cast {
  readonly senders: number;
  readonly receivers: number;
}

export const onePair: Cast = { senders: 1, receivers: 1 };

/** Systems and their ends, started when a scenario first asks for them. Those that wait for their turn do nothing. */
export class Stage implements AsyncDisposable {
  readonly #own = new AsyncDisposableStack();
  readonly #systems = new Map<string, Promise<RunningSystem>>();
  readonly #ends = new Map<string, Promise<Ends>>();
  /** Of all systems that are up. */
  readonly versions: Record<string, string> = {};
  /** Names of contenders that aren't on this machine. */
  readonly absent = new Set<string>();

  /** @throws AbsentError */
  ends(system: System, cast: Cast = onePair): Promise<Ends> {
    const key = `${system.name} ${cast.senders}-${cast.receivers}`;
    const ends = this.#ends.get(key) ?? this.#startEnds(system, cast);
    this.#ends.set(key, ends);
    return ends;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#own.disposeAsync();
  }

  async #startEnds(system: System, { senders, receivers }: Cast): Promise<Ends> {
    const started = this.#systems.get(system.name) ?? system.start().then((running) => this.#own.use(running));
    this.#systems.set(system.name, started);
    const running = await started;
    this.versions[system.name] = running.version;
    const which = `${senders}-${receivers}`;
    const sender = (at: number): string => `sender-${which}-${at}`;
    const receiver = (at: number): string => `receiver-${which}-${at % receivers}`;
    const start = async (role: Role, count: number): Promise<Child<EndCalls>> => {
      const names = Array.from({ length: count }, (_, at) => [sender(at), receiver(at)] as const);
      const dials = names.map(([from, to]) =>
        role === "sender" ? running.dial(role, from, to) : running.dial(role, to, from),
      );
      const { end } = running;
      const isProgram = "program" in end;
      const file = join(import.meta.dirname, "processes", "ends-process.ts");
      const command = isProgram ? ([end.program] as const) : nodeCommand(file);
      const child = this.#own.use(new Child<EndCalls>(`${role} of ${system.title}`, command));
      const module = isProgram ? "" : compiled(end.module);
      await child.call("connect", { module, role, dials: await Promise.all(dials) });
      return child;
    };
    return {
      receiver: await start("receiver", receivers),
      sender: await start("sender", senders),
      serverIds: running.processIds,
    };
  }
}
