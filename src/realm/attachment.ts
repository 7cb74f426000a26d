import { encodeFrame, RouterFrameReader, type TokenRights } from "@messagepasser/protocol";
import { formatOf } from "@messagepasser/protocol/formats";
import type { Grant, KeptWatches } from "../routing/link.ts";
import type { Services } from "../routing/services.ts";
import type { AdmittedToken, Upgrade } from "./admission.ts";
import type { KeptSums } from "./usage.ts";

const version = 4;

/** What a link remembers while the object is not in memory. It is attached to the link's socket. */
export interface Attachment extends Omit<Upgrade, "admission"> {
  readonly version: typeof version;
  readonly address: number;
  readonly name: string;
  /** State of the format, such as the types that a gob stream has defined. */
  readonly formatMemory: Uint8Array;
  /** The revision of the secret that opened the link, of the host's secret for a guest, or of a token's key; 0 where the authenticator knows no revisions. */
  readonly revision: number;
  readonly connectedAtMs: number;
  readonly grant: AttachedGrant | undefined;
  readonly token: AttachedToken | undefined;
  readonly services: Services | undefined;
  /** When the session began, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly pairs: Uint32Array;
  /** Those among them with `Pairs.hasLabel`. */
  readonly labelled: Uint32Array;
  /** What the client calls those among them that are of other shards, as `PeerCalls` writes it; `undefined` for nothing. */
  readonly calls: Uint8Array | undefined;
  /** Whether a pair found no room in `pairs`. */
  readonly overflowed: boolean;
  /** What the client watches, if anything, as the frames by which it asked. */
  readonly watches: Uint8Array | undefined;
  readonly isBehind: boolean;
  /** Counts of the realm, not of this link; see usage-keeper.ts. */
  readonly usage: KeptSums | undefined;
}

// Lists are JSON in UTF-8: a string with one wide character would take two bytes for each.

/** What a link remembers of an invitation. */
interface AttachedGrant extends Omit<Grant, "serves"> {
  readonly serves: Uint8Array;
}

/** What a link remembers of a token. */
interface AttachedToken extends Pick<AdmittedToken, "key" | "issuedAtS" | "expiresAtMs"> {
  readonly rights: Uint8Array;
}

/** What a new link remembers. */
export function newAttachment(
  { admission: { name, credential, invitation, token }, session, instance, resumes, format }: Upgrade,
  address: number,
): Attachment {
  const connectedAtMs = Date.now();
  return {
    version,
    address,
    name,
    session,
    instance,
    resumes,
    format,
    formatMemory: new Uint8Array(),
    revision: (credential ?? invitation ?? token)?.revision ?? 0,
    connectedAtMs,
    grant: invitation && {
      host: invitation.host,
      peer: invitation.peer,
      protocol: invitation.protocol,
      serves: encoded(invitation.serves),
      expiresAtMs: invitation.expiresAtMs,
    },
    token: token && {
      key: token.key,
      issuedAtS: token.issuedAtS,
      expiresAtMs: token.expiresAtMs,
      rights: encoded(token.rights),
    },
    services: undefined,
    sinceMs: connectedAtMs,
    pairs: new Uint32Array(),
    labelled: new Uint32Array(),
    calls: undefined,
    overflowed: false,
    ...attachedWatches(undefined),
    usage: undefined,
  };
}

/** What a client watches, as it is attached: in the fewest bytes. */
export function attachedWatches(kept: KeptWatches | undefined): Pick<Attachment, "watches" | "isBehind"> {
  if (kept === undefined) return { watches: undefined, isBehind: false };
  const frames = kept.watches.flatMap((watch) => Array.from(encodeFrame({ kind: "watch", ...watch })));
  return { watches: Uint8Array.from(frames), isBehind: kept.isBehind };
}

/** What a client watches, by its link's attachment. */
export function watchesOf({ watches, isBehind }: Attachment): KeptWatches | undefined {
  if (watches === undefined) return undefined;
  const reader = new RouterFrameReader(watches);
  const kept: { request: number; pattern: string }[] = [];
  for (let frame = reader.next(); frame?.kind === "watch"; frame = reader.next())
    kept.push({ request: frame.request, pattern: frame.pattern });
  return { watches: kept, isBehind };
}

/** What is attached to a socket, or `undefined` if its link was removed or code of another version wrote it. */
export function attachmentOf(socket: WebSocket): Attachment | undefined {
  // Written by SocketLink, of this version or another one.
  const attachment = socket.deserializeAttachment() as Attachment | null;
  return attachment?.version === version && formatOf(attachment.format) !== undefined ? attachment : undefined;
}

/** What a guest may do, by its link's attachment. */
export function grantOf({ grant }: Attachment): Grant | undefined {
  return grant && { ...grant, serves: decoded(grant.serves) as Grant["serves"] };
}

/** What a token's holder may do, as `newAttachment` wrote it. */
export function rightsOf({ rights }: AttachedToken): TokenRights {
  return decoded(rights) as TokenRights;
}

function encoded(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function decoded(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
