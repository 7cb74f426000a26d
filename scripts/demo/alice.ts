// Alice opens Connections to Bob, and tries what must not work.
import { createHash, randomBytes } from "node:crypto";
import { connect, MessagePasserError } from "messagepasser";

const { MP_URL: url = "", MP_SECRET: secret = "" } = process.env;
const client = await connect(url, { name: "alice", secret });
console.log("connected");
await peerIsThere("bob");

console.log('\nopening a Connection "greeting" to bob');
const greeting = await client.open("bob", "greeting", { metadata: { language: "English" } });
console.log(`bob says "${String(await greeting.receive())}"`);
await greeting.send("Good to hear from you, bob.");
await greeting.end();
await greeting.closed;

console.log("\nsending 5 MiB of random bytes as one message, of which bob returns the checksum");
const bytes = randomBytes(5 * 1024 * 1024);
const checksum = await client.open("bob", "checksum");
await checksum.send(bytes);
const received = await checksum.receive();
expect(received === createHash("sha256").update(bytes).digest("hex"), "the checksums differ");
console.log(`bob's SHA-256 is the same as here: ${String(received).slice(0, 16)}…`);

console.log("\ntrying what must not work:");
await refused("a protocol that bob does not handle", "unknown-protocol", () => client.open("bob", "telnet"));
await refused("a peer that is not there", "peer-absent", () => client.open("carol", "greeting"));
await refused("a wrong secret", "unauthorized", () =>
  connect(url, { name: "alice", secret: `${secret.slice(0, -4)}AAAA` }),
);

const messages = 500_000;
console.log(`\nmeasuring: ${messages.toLocaleString("en")} messages of 64 bytes, then 1,000 round trips`);
const counting = await client.open("bob", "count");
const payload = new Uint8Array(64);
const sendingStart = performance.now();
for (let sent = 0; sent < messages; sent++) await counting.send(payload);
await counting.end();
expect((await counting.receive()) === String(messages), "bob counted another number");
const seconds = (performance.now() - sendingStart) / 1000;

const echo = await client.open("bob", "echo");
const roundTripsMs: number[] = [];
for (let trip = 0; trip < 1_000; trip++) {
  const start = performance.now();
  await echo.send(payload);
  await echo.receive();
  roundTripsMs.push(performance.now() - start);
}
await echo.close();
roundTripsMs.sort((left, right) => left - right);
console.log(
  `${Math.round(messages / seconds).toLocaleString("en")} messages/s; round trip ${roundTripsMs[500]?.toFixed(2)} ms (median)`,
);
await client.close();

/** Bob is another process, and may be a moment later. */
async function peerIsThere(name: string): Promise<void> {
  while (!(await client.peers()).includes(name)) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function refused(what: string, code: string, attempt: () => Promise<unknown>): Promise<void> {
  try {
    await attempt();
  } catch (error) {
    if (!(error instanceof MessagePasserError) || error.code !== code) throw error;
    console.log(`- ${what}: "${error.code}". ${error.message}`);
    return;
  }
  throw new Error(`Not refused: ${what}`);
}

function expect(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(`The demo went wrong: ${otherwise}`);
}
