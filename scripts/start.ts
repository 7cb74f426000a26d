// `npm start`: a router that stays up on this machine. Its state is kept in .messagepasser, or where --state says.
import { once } from "node:events";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startRouter } from "./router.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8787" },
    host: { type: "string", default: "127.0.0.1" },
    state: { type: "string", default: join(import.meta.dirname, "..", ".messagepasser") },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (values.help) {
  console.log(`Runs a router on this machine until it is interrupted.

  npm start                                    on 127.0.0.1:8787, state in .messagepasser
  npm start -- --port 9000 --host 0.0.0.0      reachable from other machines, without TLS: put a proxy before it
  npm start -- --state /var/lib/messagepasser  state elsewhere`);
  process.exit();
}

const stateDirectory = resolve(values.state);
await using router = await startRouter({ port: Number(values.port), host: values.host, stateDirectory });
const url = router.url.origin;
console.log(`The router listens on ${url}. State, and the admin token, are in ${stateDirectory}.

Add two clients, each on a line of its own; each gets a secret, shown once:

  export MP_URL=${url} MP_ADMIN_TOKEN=${router.adminToken}
  npx mp client add alice
  npx mp client add bob

Then, in two other terminals, with the secrets that you got:

  MP_URL=${url} MP_NAME=bob MP_SECRET=… npx mp listen chat
  MP_URL=${url} MP_NAME=alice MP_SECRET=… npx mp connect bob chat

Press Ctrl+C to stop.`);
await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
