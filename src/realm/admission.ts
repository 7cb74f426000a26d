import type { Invitation } from "@messagepasser/protocol";

/** Who stands behind a link, as the Worker tells the realm's object. */
export interface Identity {
  readonly realm: string;
  readonly name: string;
  /** The secret that was shown, which the object still checks; absent with an authenticator of the deployer's own. */
  readonly credential?: { readonly revision: number; readonly hash: string };
  /** What a guest came with instead; its signature was checked. */
  readonly invitation?: Invitation;
}

/** An upgrade that the Worker let through. */
export interface Admission {
  readonly identity: Identity;
  /** The client's session: 32 hexadecimal digits. */
  readonly session: string;
  /** Whether the client named the session, and so can come back in it; otherwise the Worker picked one. */
  readonly resumes: boolean;
  /** The subprotocol that the client gets. */
  readonly format: string;
}

const header = "mp-admission";
const version = 3;

/**
 * The request that hands an upgrade to the object. It is built anew, so nothing of the client's own headers is in it.
 * It carries a version, since during a deploy the Worker and the object may run different code.
 */
export function upgradeRequest(admission: Admission): Request {
  return new Request("https://router.internal/link", {
    headers: { upgrade: "websocket", [header]: encodeURIComponent(JSON.stringify({ version, ...admission })) },
  });
}

/** The admission in a request made by `upgradeRequest`, or `undefined` if another version of the Worker made it. */
export function admissionOf(request: Request): Admission | undefined {
  const text = request.headers.get(header);
  if (text === null) return undefined;
  // Only the Worker can reach the object, so what stands here is what upgradeRequest wrote.
  const admission = JSON.parse(decodeURIComponent(text)) as Admission & { version: number };
  return admission.version === version ? admission : undefined;
}
