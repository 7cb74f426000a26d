import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";

// A secret key that an owner gives is stored encrypted by the pepper, so that a reader of the stores can't sign with it:
//
//     base64url( iv 12 bytes | AES-256-GCM of the key, bound to realm and id )

const ivBytes = 12;

/** Encrypts a secret for the stores. @param context what the secret is for, without line feeds in its parts */
export async function seal(pepper: string, context: readonly string[], secret: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv, additionalData: bound(context) },
    await keyOf(pepper),
    new TextEncoder().encode(secret),
  );
  return Buffer.concat([iv, new Uint8Array(sealed)]).toString("base64url");
}

/** Decrypts what `seal` made. Rejects for another pepper or context. @returns the secret's bytes */
export async function unseal(pepper: string, context: readonly string[], sealed: string): Promise<Uint8Array> {
  const bytes = Buffer.from(sealed, "base64url");
  const opened = await crypto.subtle.decrypt(
    { name: "AES-GCM", iv: bytes.subarray(0, ivBytes), additionalData: bound(context) },
    await keyOf(pepper),
    bytes.subarray(ivBytes),
  );
  return new Uint8Array(opened);
}

async function keyOf(pepper: string): Promise<CryptoKey> {
  const bytes = createHmac("sha256", pepper).update("mp token key seal v1\n").digest();
  return await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

function bound(context: readonly string[]): Uint8Array {
  return new TextEncoder().encode(context.join("\n"));
}
