import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import {
  guestName,
  type Invitation,
  invitationMacBytes,
  readInvitationText,
  routerLimits,
} from "@messagepasser/protocol";
import type { Claim } from "../entrance/claim.ts";
import { inviteKeyOf } from "./secret.ts";

/**
 * The invitation in a claim's `secret`. `undefined` unless a client of this realm made it for a guest of this name and it
 * has not expired. The client's secret may have been revoked since: only a store knows that.
 */
export function verifyInvitation(
  pepper: string,
  { realm, name, secret }: Claim,
  nowMs: number,
): Invitation | undefined {
  const signed = readInvitationText(secret);
  if (signed === undefined) return undefined;
  const { invitation, signedBytes, mac } = signed;
  const idAndRevision = Buffer.alloc(12);
  idAndRevision.write(invitation.secretId, "hex");
  idAndRevision.writeUInt32BE(invitation.revision, 8);
  const key = inviteKeyOf(pepper, realm, invitation.host, idAndRevision);
  const expected = createHmac("sha256", key).update(signedBytes).digest().subarray(0, invitationMacBytes);
  const leftMs = invitation.expiresAtMs - nowMs;
  const isInTime = leftMs > 0 && leftMs <= routerLimits.maxInvitationLifeMs;
  const isGood = timingSafeEqual(expected, mac) && guestName(invitation) === name && isInTime;
  return isGood ? invitation : undefined;
}
