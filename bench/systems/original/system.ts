import { join } from "node:path";
import { installed, serverSystem, type System } from "../system.ts";

/** The MessagePasser of 2015, in Go: gob over TCP. Its ends are Go, too. */
export const original: System = serverSystem({
  name: "original",
  title: "the original of 2015",
  folder: import.meta.dirname,
  version: () => "github.com/gburgessiv/mp b22e3b4, gob over TCP",
  command: () => [installed("bin/original"), "serve"],
  end: { program: join(import.meta.dirname, "../bin/original") },
});
