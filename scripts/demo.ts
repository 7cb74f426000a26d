// `npm run demo`: two processes that know nothing of each other but a name, talking through a real router on this machine.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { addClient } from "./admin-client.ts";
import { startRouter } from "./router.ts";

/** Longer than the demo takes on any machine; then something hangs, and it says so instead of going on. */
const deadlineMs = 120_000;

console.log("Starting a router under workerd, on a free port, with throw-away state …");
await using router = await startRouter();
console.log(`router │ listening on ${router.url.origin}\n`);

console.log("Adding two clients: each gets a name and a secret of its own.");
const names = ["alice", "bob"] as const;
const secrets = await Promise.all(names.map((name) => addClient(router, name)));
for (const [at, name] of names.entries()) console.log(`router │ ${name} may come in with ${secrets[at]?.slice(0, 9)}…`);

console.log("\nStarting two processes. Both dial out to the router; neither listens on any port.");
const deadline = AbortSignal.timeout(deadlineMs);
const [alice, bob] = names.map((name, at) => startPeer(name, secrets[at] ?? ""));
if (alice === undefined || bob === undefined) throw new Error("Both processes are started above");
// Alice drives, and tells Bob when it is over by leaving.
const [aliceStatus] = (await once(alice, "exit", { signal: deadline })) as [number | null];
bob.kill("SIGTERM");
const [bobStatus] =
  bob.exitCode === null ? ((await once(bob, "exit", { signal: deadline })) as [number | null]) : [bob.exitCode];
if (aliceStatus !== 0 || bobStatus !== 0) {
  console.error(`\nThe demo failed: alice ended with status ${aliceStatus}, bob with ${bobStatus}.`);
  process.exitCode = 1;
} else {
  console.log("\nAll of it worked. Next: `npm start` runs a router that stays up, and README.md shows how to use it.");
}

function startPeer(name: string, secret: string): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, "demo", `${name}.ts`)], {
    env: { ...process.env, MP_URL: router.url.href, MP_SECRET: secret },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("exit", () => child.kill("SIGKILL"));
  createInterface({ input: child.stdout }).on("line", (line) => {
    console.log(line === "" ? "" : `${name.padEnd(6)} │ ${line}`);
  });
  return child;
}
