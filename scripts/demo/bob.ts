// Bob takes what Alice opens.
import { createHash } from "node:crypto";
import { connect } from "messagepasser";

const { MP_URL: url = "", MP_SECRET: secret = "" } = process.env;
const client = await connect(url, { name: "bob", secret });
console.log("connected");

client.handle("greeting", async (connection) => {
  console.log(`${connection.peer} opened "greeting", in ${connection.metadata["language"] ?? "an unknown language"}`);
  await connection.send(`Hello ${connection.peer}, this is bob!`);
  console.log(`got the answer "${String(await connection.receive())}"`);
  await connection.close();
});

client.handle("checksum", async (connection) => {
  const bytes = await connection.receive();
  if (bytes === undefined) return;
  await connection.send(createHash("sha256").update(bytes).digest("hex"));
  await connection.close();
});

client.handle("echo", async (connection) => {
  for await (const message of connection) await connection.send(message);
  await connection.close();
});

client.handle("count", async (connection) => {
  let count = 0;
  while ((await connection.receive()) !== undefined) count++;
  await connection.send(String(count));
  await connection.close();
});

process.once("SIGTERM", () => void client.close());
await client.closed;
