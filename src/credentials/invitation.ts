import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { guestName, type Invitation, invitationMacBytes, readInvitationText } from "@messagepasser/protocol";
import { inviteKeyOf } from "./secret.ts";

/**
 * The invitation in `text`, or `undefined` if it isn't one that a client of this realm made for a guest of this name, or
 * if its time is over. No store is asked: its host's secret may have been revoked.
 */
export function verifyInvitation(
  pepper: string,
  realm: string,
  name: string,
  text: string,
  nowMs: number,
): Invitation | undefined {
  const signed = readInvitationText(text);
  if (signed === undefined) return undefined;
  const { invitation, signedBytes, mac } = signed;
  const idAndRevision = Buffer.alloc(12);
  idAndRevision.write(invitation.secretId, "hex");
  idAndRevision.writeUInt32BE(invitation.revision, 8);
  const key = inviteKeyOf(pepper, realm, invitation.host, idAndRevision);
  const expected = createHmac("sha256", key).update(signedBytes).digest().subarray(0, invitationMacBytes);
  const isGood = timingSafeEqual(expected, mac) && guestName(invitation) === name && nowMs < invitation.expiresAtMs;
  return isGood ? invitation : undefined;
}
