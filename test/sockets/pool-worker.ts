// A worker of a pool, which a test kills: node pool-worker.ts URL NAME, with its secret in MP_SECRET.
import process from "node:process";
import { connect } from "messagepasser";

const [url = "", name = ""] = process.argv.slice(2);
const client = await connect(url, { name, secret: process.env["MP_SECRET"] ?? "" });
client.handle(
  "work",
  async (connection) => {
    const task = await connection.receive();
    process.stdout.write(`handled ${String(task)}\n`);
    if (task !== undefined) await connection.send(task);
    await connection.close();
  },
  { share: true },
);
// The router has heard what it serves.
await client.peers();
process.stdout.write("ready\n");
