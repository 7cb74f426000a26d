import type { Invitation, TokenRights } from "@messagepasser/protocol";

/** The client behind a new link, as the edge vouches for it to the realm's object. */
export interface Admission {
  readonly realm: string;
  readonly name: string;
  /** The client's secret, which the object checks again; absent with an authenticator of the deployer's own. */
  readonly credential?: { readonly revision: number; readonly hash: string };
  /** A guest's invitation, instead of a secret. Its signature was checked. */
  readonly invitation?: Invitation;
  /** A token, instead of a secret. Its signature was checked. */
  readonly token?: AdmittedToken;
  /** The ticket that a page came with; a ticket lets in one link. */
  readonly ticket?: { readonly id: string; readonly expiresAtMs: number };
}

/** What an admission says about a token. */
export interface AdmittedToken {
  /** The id and the revision of the key that signed it. */
  readonly key: string;
  readonly revision: number;
  /** Seconds since 1970. */
  readonly issuedAtS: number;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  readonly rights: TokenRights;
}

/** An upgrade that the Worker hands to the realm's object. */
export interface Upgrade {
  readonly admission: Admission;
  /** The client's session: 32 hexadecimal digits. */
  readonly session: string;
  /** What the client calls this session; empty for nothing. */
  readonly instance: string;
  /** Whether the client can come back in this session: it chose the session, and its format has addresses. */
  readonly resumes: boolean;
  /** The format, by its subprotocol. */
  readonly format: string;
}

/** The answer of an object that is not the home of a client, or not one of all shards that its asker counts. */
export interface Moved {
  /** How many shards the realm has, as the object knows it. */
  readonly shards: number;
  /** Whether the client is moving, or the realm is growing: then to be asked again in a moment. */
  readonly isMoving?: boolean;
}

export function isMoved(answer: unknown): answer is Moved {
  return answer instanceof Object && !(answer instanceof Response) && "shards" in answer;
}

/** The answer of an object that doesn't let a client in now, which may come again. */
export interface Busy {
  readonly busy: "restarting" | "overloaded";
}

/** A realm's object, as the entrance asks it besides `fetch`. */
export interface AdmittingObject {
  /**
   * Whether a link for this client would be opened now.
   *
   * @param session the client's session, if it has chosen one
   * @param shards how many the asker thinks that the realm has
   */
  wouldAdmit(
    admission: Admission,
    session: string | undefined,
    shards: number,
  ): boolean | Busy | Moved | Promise<boolean | Busy | Moved>;
}

const header = "mp-admission";
const version = 6;

/**
 * The request that hands an upgrade to the realm's object. It is a new request, so none of the client's own headers is in
 * it. It has a version, since during a deploy the Worker and the object may run different code.
 *
 * @param shards how many the Worker thinks that the realm has
 */
export function upgradeRequest(upgrade: Upgrade, shards = 1): Request {
  return new Request("https://router.internal/link", {
    headers: { upgrade: "websocket", [header]: encodeURIComponent(JSON.stringify({ version, shards, ...upgrade })) },
  });
}

/** Reads a request of `upgradeRequest`; `undefined` if another version of the Worker made it. */
export function upgradeIn(request: Request): (Upgrade & Pick<Moved, "shards">) | undefined {
  const text = request.headers.get(header);
  if (text === null) return undefined;
  // Only the Worker can send requests to the object.
  const upgrade = JSON.parse(decodeURIComponent(text)) as Upgrade & { version: number; shards: number };
  return upgrade.version === version ? upgrade : undefined;
}

const [shardsHeader, movingHeader] = ["mp-shards", "mp-moving"];

/** The answer to an upgrade of a client whose home is elsewhere, or that is moving. */
export function movedResponse({ shards, isMoving = false }: Moved): Response {
  const headers = { [shardsHeader]: String(shards), [movingHeader]: String(isMoving) };
  return new Response(null, { status: 421, headers });
}

/** What an object says of a client's home; `undefined` if it says something else. */
export function movedIn({ status, headers }: Response): Moved | undefined {
  if (status !== 421) return undefined;
  return { shards: Number(headers.get(shardsHeader)), isMoving: headers.get(movingHeader) === "true" };
}

const busyHeader = "mp-busy";

/** The answer to an upgrade of a client that an object doesn't let in now. */
export function busyResponse({ busy }: Busy): Response {
  return new Response(null, { status: 503, headers: { [busyHeader]: busy } });
}

/** Why an object doesn't let a client in now; `undefined` if it says something else. */
export function busyIn({ status, headers }: Response): Busy | undefined {
  if (status !== 503) return undefined;
  return { busy: headers.get(busyHeader) === "overloaded" ? "overloaded" : "restarting" };
}
