// Greets bob.ts, or the page, or whoever is named on the command line.
import { connect } from "messagepasser";

const { MP_URL: url = "ws://127.0.0.1:8787", MP_NAME: name = "alice", MP_SECRET: secret = "" } = process.env;
const [peer = "bob"] = process.argv.slice(2);
const client = await connect(url, { name, secret });

const connection = await client.open(peer, "greeting");
console.log(`${peer}: ${String(await connection.receive())}`);
await connection.send(`Good to hear from you, ${peer}.`);
await connection.close();
await client.close();
