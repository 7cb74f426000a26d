// What each platform does: one Connection to an echo, with text and a message of many frames.
import { connect } from "messagepasser";

/**
 * @param {string} url the router's
 * @param {string} name
 * @param {string} secret
 * @returns {Promise<string>} "héllo ✓, 1048576 bytes, closed" if all went well
 */
export async function talk(url, name, secret) {
  const client = await connect(url, { name, secret });
  const connection = await client.open("host", "echo", { first: "héllo ✓" });
  const text = await connection.receive();
  const sending = connection.send(new Uint8Array(1024 * 1024));
  const bytes = await connection.receive();
  await sending;
  await connection.close();
  const error = await connection.closed;
  await client.close();
  return `${String(text)}, ${bytes.length} bytes, ${error === undefined ? "closed" : error.message}`;
}
