// Runs as a process of its own, since Node reads NODE_EXTRA_CA_CERTS only when it starts.
import { connect } from "messagepasser";
import { addClient } from "../../scripts/admin-client.ts";

const [url = "", adminToken = ""] = process.argv.slice(2);
const router = { url: new URL(url), adminToken };
const alice = await connect(url, { name: "alice", secret: await addClient(router, "alice") });
const bob = await connect(url, { name: "bob", secret: await addClient(router, "bob") });
bob.handle("hello", async (connection) => {
  await connection.send("hello over TLS");
});
const connection = await alice.open("bob", "hello");
console.log(await connection.receive());
await Promise.all([alice.close(), bob.close()]);
