// What bystanders notice of an attack, each in one run with and without the attacker:
//
//     node test/attacks/measure/main.ts unread|flood|guests|sources [seconds]
import { type Client, connect } from "messagepasser";
import { addClient } from "../../../scripts/admin-client.ts";
import { startRouter } from "../../../scripts/router.ts";
import { type Attack, flood, guests, sources, unread } from "./attacks.ts";
import { bulkFor, RoundTrips, serve } from "./bystanders.ts";
import { slowLine } from "./line.ts";

const [name = "unread", seconds = "60"] = process.argv.slice(2);
const attacks: Record<string, Attack | undefined> = { unread, flood, guests, sources };
const attack = attacks[name];
if (attack === undefined) throw new Error(`No attack "${name}": choose one of ${Object.keys(attacks).join(", ")}`);

await using own = new AsyncDisposableStack();
// The edge would stop some of these; here the object is to hold by itself.
const router = own.use(await startRouter({ connectsPer10s: 1_000_000 }));
const secrets = new Map<string, Promise<string>>();
const secretOf = (client: string): Promise<string> => {
  const secret = secrets.get(client) ?? addClient(router, client);
  secrets.set(client, secret);
  return secret;
};
const losses: string[] = [];
const join = async (client: string, url = router.url): Promise<Client> => {
  const onStatus = ({ kind }: { readonly kind: string }): void => {
    // Of its own link, not of a peer's.
    if (kind === "offline") losses.push(`${client}: ${kind}`);
  };
  return await connect(url, { name: client, secret: await secretOf(client), onStatus });
};

// Bob is behind 10 Mbit/s where the attacker floods him.
const line = name === "flood" ? own.use(await slowLine(router.url, 1_250_000)) : router;
const [alice, bob] = [await join("alice"), await join("bob", line.url)];
serve(bob);
// Mallory's flood is for a Connection that bob accepted.
bob.handle("test", async (connection) => {
  for await (const _ of connection);
});
const stop = new AbortController();
if (name === "guests") {
  const quiet = await bulkFor(alice, "bob", 10);
  const done = await attack({ router, secretOf }, stop.signal);
  const under = await bulkFor(alice, "bob", 10);
  console.log({ attack: name, done, quietMbits: quiet, underAttackMbits: under, part: under / quiet, losses });
} else {
  const trips = await RoundTrips.between(alice, "bob", 20);
  await trips.during(2);
  const quiet = await trips.during(Math.min(20, Number(seconds)));
  const done = attack({ router, secretOf }, stop.signal);
  const under = await trips.during(Number(seconds));
  stop.abort();
  trips.stop();
  console.log({ attack: name, done: await done, quiet, underAttack: under, losses });
}
// The attackers' sockets are still there.
process.exit();
