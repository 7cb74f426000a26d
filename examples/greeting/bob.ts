// Waits for greetings. Run it, then alice.ts, each with a name and a secret of its own in the environment.
import { connect } from "messagepasser";

const { MP_URL: url = "ws://127.0.0.1:8787", MP_NAME: name = "bob", MP_SECRET: secret = "" } = process.env;
const client = await connect(url, { name, secret });

client.handle("greeting", async (connection) => {
  await connection.send(`Hello ${connection.peer}, this is ${name}!`);
  for await (const message of connection) console.log(`${connection.peer}: ${String(message)}`);
  await connection.close();
});
console.log(`${name} is connected and waits for greetings. Press Ctrl+C to stop.`);

process.once("SIGINT", () => void client.close());
await client.closed;
