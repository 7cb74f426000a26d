// `npm run bench:peers`: installs what the router is compared with. What can't be had here is left out, here and in the
// benchmark.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

type Command = readonly [program: string, ...parameters: string[]];

const binaries = join(import.meta.dirname, "bin");
const go = { GOBIN: binaries, GOWORK: "off", GOTOOLCHAIN: "local", CGO_ENABLED: "0" };

install(
  "Packages from the npm registry",
  // Not "npm ci": see scripts/with-dependencies.mjs.
  ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"],
  "npm and a way to its registry",
);
install(
  "nats-server, built from the Go module proxy",
  ["go", "install", "github.com/nats-io/nats-server/v2@v2.15.2"],
  "Go 1.25 or newer and a way to a Go module proxy",
);
install(
  "The original of 2015, built from the Go module proxy",
  ["go", "-C", "original", "build", "-mod=readonly", "-o", join(binaries, "original"), "."],
  "Go 1.23 or newer and a GOPROXY that has github.com/gburgessiv/mp",
);

function install(title: string, [program, ...parameters]: Command, needs: string): void {
  console.log(`▸ ${title} …`);
  const env = { ...process.env, ...go };
  const { status } = spawnSync(program, parameters, { cwd: import.meta.dirname, env, stdio: "inherit" });
  if (status !== 0) console.log(`  left out: it needs ${needs}`);
}
