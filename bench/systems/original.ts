import { builtProgram } from "./installed.ts";
import { startServer } from "./server-process.ts";
import type { RunningSystem, System } from "./system.ts";

/** MessagePasser as it was in 2015, in Go: gob over TCP. Its ends are Go, too. */
export const original: System = { name: "original", title: "the original of 2015", start };

async function start(): Promise<RunningSystem> {
  const program = builtProgram(
    "original",
    "`npm run bench:peers` builds it, with Go on this machine and a GOPROXY that has github.com/gburgessiv/mp",
  );
  const server = await startServer([program, "serve"], /tcp:\S+/);
  return {
    version: "github.com/gburgessiv/mp b22e3b4, gob over TCP",
    processIds: [server.id],
    end: { executable: program },
    dial: (_role, name, peer) => Promise.resolve({ url: server.address, name, secret: "", peer }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
