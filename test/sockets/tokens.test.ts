import { createHash, randomBytes } from "node:crypto";
import { connect } from "messagepasser";
import { expect, test } from "vitest";
import { addKey } from "../../scripts/admin-client.ts";
import { claimsOf, tokenOf } from "../support/tokens.ts";
import { startRealm } from "./realm.ts";
import { StatusLog } from "./side.ts";

test("tokens that expire in the middle of a transfer are replaced by fresh ones, and the transfer goes on without a byte lost", async () => {
  await using realm = await startRealm();
  const key = await addKey(realm.router, "shop");
  const bob = await realm.connect("bob");
  const received = createHash("sha256");
  const done = Promise.withResolvers<string>();
  bob.handle("upload", async (connection) => {
    for await (const message of connection) received.update(message);
    done.resolve(received.digest("hex"));
    await connection.close();
  });
  const statuses = new StatusLog();
  let tokens = 0;
  const ann = await connect(realm.router.url, {
    name: "+shop/ann",
    secret: () => {
      tokens++;
      const { iat } = claimsOf("ann") as { iat: number };
      return tokenOf({ sub: "ann", iat, exp: iat + 2 }, key);
    },
    onStatus: statuses.onStatus,
  });
  const connection = await ann.open("bob", "upload");
  const sent = createHash("sha256");
  const chunk = randomBytes(65_536);
  const upload = async (isOver: () => boolean): Promise<void> => {
    while (!isOver()) {
      sent.update(chunk);
      await connection.send(chunk);
    }
  };
  let isOver = false;
  const uploading = upload(() => isOver);
  for (let times = 0; times < 2; times++) {
    const { error } = await statuses.next("offline");
    expect(error.code).toBe("expired");
    await statuses.next("online");
  }
  isOver = true;
  await uploading;
  await connection.close();
  expect(await done.promise).toBe(sent.digest("hex"));
  expect(tokens).toBeGreaterThan(2);
  await Promise.all([ann.close(), bob.close()]);
});
