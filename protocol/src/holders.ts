import { routerLimits } from "./limits.ts";

// The holder of a token is called "+KEY/SUBJECT". No client that an owner adds can have such a name, and no guest can: the
// name of a guest begins with its host's, and only clients with secrets of their own are hosts.

/** Begins the name of a token's holder. Shells and rules take it as it is, unlike "~" and "@". */
const prefix = "+";
const keyId = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const named = /^\+([^/]*)\//;

/** What a token lets its holder open: patterns of peers and protocols, in which `*` matches anything. */
export interface Openable {
  readonly peer: string;
  readonly protocol: string;
}

/** What the claim `mp` of a token says. It narrows what the realm's rules allow. */
export interface TokenRights {
  /** What the holder may open. Default: whatever the rules allow. */
  readonly open?: readonly Openable[];
  /** Patterns of the protocols that the holder serves: others may open these to it. Default: none. */
  readonly serve?: readonly string[];
}

/** Whether a name is one of a token's holder. */
export function isHolderName(name: string): boolean {
  return name.startsWith(prefix);
}

/** The name of the holder of a token. @param subject the token's `sub` */
export function holderName(key: string, subject: string): string {
  return `${prefix}${key}/${subject}`;
}

/** The id of the key that signs the tokens for a name, or `undefined` for the name of no holder. */
export function keyIdOf(name: string): string | undefined {
  const key = named.exec(name)?.[1];
  return key === undefined || keyIdProblem(key) !== undefined ? undefined : key;
}

/** The rule that the id of a key breaks, as the end of a sentence, or `undefined` for a valid one. */
export function keyIdProblem(id: string): string | undefined {
  if (id.length > routerLimits.maxKeyIdLength) return `must have at most ${routerLimits.maxKeyIdLength} characters`;
  return keyId.test(id) ? undefined : 'must consist of "a" to "z", "0" to "9" and inner "-"';
}
