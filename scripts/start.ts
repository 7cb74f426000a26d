// `npm start`: a router that stays up on this machine. Its state is kept in .messagepasser, or where --state says.
import { once } from "node:events";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Router, startRouter } from "./router.ts";

const help = `Runs a router on this machine until it is interrupted.

  npm start                                    on 127.0.0.1:8787, state in .messagepasser
  npm start -- --port 9000 --host 0.0.0.0      reachable from other machines, without TLS: put a proxy before it
  npm start -- --state /var/lib/messagepasser  state elsewhere`;

/** The options, or `undefined` where help was asked for. @throws Error that says what is wrong with them */
function options(): { port: number; host: string; stateDirectory: string } | undefined {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "8787" },
      host: { type: "string", default: "127.0.0.1" },
      state: { type: "string", default: join(import.meta.dirname, "..", ".messagepasser") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535)
    throw new Error(`--port must be a number from 0 to 65535, not "${values.port}"`);
  return { port, host: values.host, stateDirectory: resolve(values.state) };
}

async function serve(router: Router, stateDirectory: string): Promise<void> {
  const url = router.url.origin;
  console.log(`The router listens on ${url}. State, and the admin token, are in ${stateDirectory}.

In this folder, add two clients, each on a line of its own; each gets a secret, shown once:

  export MP_URL=${url} MP_ADMIN_TOKEN=${router.adminToken}
  npx mp client add alice
  npx mp client add bob

Then, in two other terminals in this folder, with the secrets that you got:

  MP_URL=${url} MP_NAME=bob MP_SECRET=… npx mp listen chat
  MP_URL=${url} MP_NAME=alice MP_SECRET=… npx mp connect bob chat

Press Ctrl+C to stop.`);
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
}

try {
  const chosen = options();
  if (chosen === undefined) console.log(help);
  else {
    await using router = await startRouter({ ...chosen, isDirect: true });
    await serve(router, chosen.stateDirectory);
  }
} catch (error) {
  // The first line says what; the rest is about the runtime's insides.
  const [what = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  console.error(`Cannot start the router: ${what}`);
  // Not only exitCode: a runtime that has started half way would keep the process alive.
  process.exit(1);
}
