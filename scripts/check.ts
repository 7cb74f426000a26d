// `npm run check`: all that can be said about the code without running it. The first failure ends it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runSync } from "./run.mjs";

/** What the benchmark's peers import is only there once `npm run bench:peers` has installed it. */
const hasPeers = existsSync(join(import.meta.dirname, "../bench/systems/node_modules"));

const projects = [
  "protocol",
  "src",
  "client",
  "client/tsconfig.node.json",
  "cli",
  "bench",
  ...(hasPeers ? ["bench/systems"] : []),
  "examples",
  "scripts",
  "test",
  "test/workerd",
  "test/soak",
  "test/fuzz",
];
const steps: readonly (readonly [what: string, ...command: string[]])[] = [
  ["Declarations of the client", "node", "scripts/build.ts", "--types"],
  ["Public API of the client", "node", "scripts/check-api.ts"],
  ["Format", "prettier", "--check", "--log-level", "warn", "."],
  [
    "Lint",
    "oxlint",
    ...(hasPeers
      ? []
      : [
          "--ignore-pattern=bench/systems/{nats,socket-io,partyserver,libp2p}/{ends,links,server,partyserver-worker}.ts",
        ]),
  ],
  ["Projects of the tests", "node", "scripts/check-tests.ts"],
  ["Code of the Protobuf schema", "node", "scripts/check-proto.ts"],
  ...projects.map((project) => [`Types of ${project}`, "tsc", "-p", project] as const),
  ["Deployment, dry", "wrangler", "deploy", "--dry-run", "--outdir", ".wrangler/dry-run"],
  ["Packages", "node", "scripts/check-packages.ts"],
];

for (const [what, command = "", ...parameters] of steps) {
  console.log(`▸ ${what}`);
  const { status } = runSync(command, parameters, { cwd: join(import.meta.dirname, "..") });
  if (status !== 0) {
    console.error(`${what}: failed (see above)`);
    process.exit(1);
  }
}
