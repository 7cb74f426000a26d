import { createHash, randomBytes } from "node:crypto";
import { connect } from "messagepasser";
import { expect, test } from "vitest";
import { addKey } from "../../scripts/admin-client.ts";
import { claimsOf, tokenOf } from "../support/tokens.ts";
import { startRealm } from "./realm.ts";
import { StatusLog } from "./side.ts";

/** More by hand: `TOKEN_UPLOAD_MB=1024 TOKEN_SECONDS=20 npx vitest run --project sockets test/sockets/tokens.test.ts`. */
const leastBytes = Number(process.env["TOKEN_UPLOAD_MB"] ?? 0) * 1_048_576;
const tokenSeconds = Number(process.env["TOKEN_SECONDS"] ?? 2);

test(
  "tokens that expire in the middle of a transfer are replaced by fresh ones, and the transfer goes on without a byte lost",
  { timeout: 1_800_000 },
  async () => {
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
        return tokenOf({ sub: "ann", iat, exp: iat + tokenSeconds }, key);
      },
      onStatus: statuses.onStatus,
    });
    const connection = await ann.open("bob", "upload");
    const startMs = performance.now();
    const sent = createHash("sha256");
    const chunk = randomBytes(65_536);
    let sentBytes = 0;
    const upload = async (isOver: () => boolean): Promise<void> => {
      while (!isOver() || sentBytes < leastBytes) {
        sentBytes += chunk.length;
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
    console.log(`${sentBytes} bytes in ${Math.round(performance.now() - startMs)} ms with ${tokens} tokens`);
    expect(tokens).toBeGreaterThan(2);
    await Promise.all([ann.close(), bob.close()]);
  },
);
