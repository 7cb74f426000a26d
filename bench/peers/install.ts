// `npm run bench:peers`: installs what people would use instead, for the benchmark to compare with. What is not to be had
// here is said and left out, and so will the benchmark.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

interface Step {
  readonly title: string;
  readonly command: readonly [program: string, ...parameters: string[]];
  /** Of this folder. */
  readonly folder?: string;
  /** What the benchmark does without, if this fails. */
  readonly without: string;
}

const binaries = join(import.meta.dirname, "bin");
const go = { GOBIN: binaries, GOWORK: "off", GOTOOLCHAIN: "local", CGO_ENABLED: "0" };

const steps: readonly Step[] = [
  {
    title: "Packages from the npm registry",
    // Not "npm ci": see scripts/with-dependencies.mjs.
    command: ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"],
    without: "without npm and a way to its registry there are none of them",
  },
  {
    title: "nats-server, built from the Go module proxy",
    command: ["go", "install", "github.com/nats-io/nats-server/v2@v2.15.2"],
    without: "NATS needs Go 1.25 or newer and a way to a Go module proxy",
  },
  {
    title: "The original of 2015, built from the Go module proxy",
    command: ["go", "build", "-mod=readonly", "-o", join(binaries, "original"), "."],
    folder: "original",
    without: "the original needs Go 1.23 or newer and a GOPROXY that has github.com/gburgessiv/mp",
  },
];

for (const { title, command, folder = ".", without } of steps) {
  console.log(`▸ ${title} …`);
  const [program, ...parameters] = command;
  const { status } = spawnSync(program, parameters, {
    cwd: join(import.meta.dirname, folder),
    env: { ...process.env, ...go },
    stdio: "inherit",
  });
  if (status !== 0) console.log(`  left out: ${without}`);
}
