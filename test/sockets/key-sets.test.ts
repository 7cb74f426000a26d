import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "messagepasser";
import { generate } from "selfsigned";
import { expect, onTestFinished, test } from "vitest";
import { addKeySet } from "../../scripts/admin-client.ts";
import { claimsOf, signedPart } from "../support/tokens.ts";
import { RouterProcess } from "./router-process.ts";

test("a router fetches the keys of tokens over HTTPS once, and only from a server whose certificate it trusts", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "one" };
  const certificateOf = () =>
    generate([{ name: "commonName", value: "login" }], {
      algorithm: "sha256",
      extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }],
    });
  const [own, foreign] = await Promise.all([certificateOf(), certificateOf()]);
  let fetches = 0;
  const urlOf = async ({ private: key, cert }: typeof own): Promise<string> => {
    const server = createServer({ key, cert }, (_, response) => {
      fetches++;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ keys: [jwk] }));
    });
    // The router hangs up on a certificate that it doesn't trust.
    server.on("tlsClientError", () => undefined);
    await once(server.listen(0, "localhost"), "listening");
    onTestFinished(() => void server.close());
    return `https://localhost:${(server.address() as AddressInfo).port}/jwks.json`;
  };
  const folder = await mkdtemp(join(tmpdir(), "messagepasser-authority-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const authorityFile = join(folder, "authority.pem");
  await writeFile(authorityFile, own.cert);
  await using router = await RouterProcess.start({ NODE_EXTRA_CA_CERTS: authorityFile });
  await addKeySet(router, "staff", await urlOf(own));
  await addKeySet(router, "strangers", await urlOf(foreign));

  const secretOf = (key: string): string => {
    const aud = new URL(`/connect/default`, router.url).href;
    const signed = signedPart(claimsOf("ann", { aud }), { alg: "ES256", kid: "one", typ: "JWT", key });
    const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
    return `${signed}.${signature.toString("base64url")}`;
  };
  const link = (key: string) => connect(router.url, { name: `+${key}/ann`, secret: secretOf(key) });
  for (let times = 0; times < 3; times++) {
    await using ann = await link("staff");
    expect(ann.name).toBe("+staff/ann");
  }
  expect(fetches).toBe(1);
  await expect(link("strangers")).rejects.toMatchObject({ code: "overloaded" });
  expect(fetches).toBe(1);
});
