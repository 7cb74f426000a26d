/** What KV holds for one name of one realm: the edge's copy of what the realm's object decided. */
export interface CredentialRecord {
  readonly version: 1;
  /** Secrets of lower revisions are refused: rotated or revoked. Outlives the client, so that revisions never restart. */
  readonly leastRevision: number;
}

/** The key in KV. At most 11 + 63 + 1 + 128 of the 512 bytes that KV allows. */
export function credentialKey(realm: string, name: string): string {
  return `credential:${realm}:${name}`;
}
