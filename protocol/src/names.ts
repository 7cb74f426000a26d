import { isHolderName } from "./holders.ts";
import { limits } from "./limits.ts";
import { utf8Length } from "./utf8.ts";

// Unicode's Cc category and its line separators, which could forge lines in logs and lists.
const controlCharacter = /[\p{Cc}\u2028\u2029]/u;
/** Where Cloudflare promises to keep objects. */
export const jurisdictions = ["eu", "us", "fedramp"] as const;

export type Jurisdiction = (typeof jurisdictions)[number];

const realm = new RegExp(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.(?:${jurisdictions.join("|")}))?$`);

/** The realm of a client that doesn't name one. */
export const defaultRealm = "default";

/**
 * The rule that a client's name breaks, as the end of a sentence, or `undefined` for a valid name. RFC 7617 separates name
 * and secret with `:`. URL parsers remove `.` and `..` from a path, however they are encoded. The names of built-in peers
 * begin with `$`.
 */
export function nameProblem(name: string): string | undefined {
  const problem = peerProblem(name);
  if (problem !== undefined) return problem;
  return name.startsWith("$") ? 'must not begin with "$": such names are the router\'s own' : undefined;
}

// Characters that nobody sees: of format, as marks of direction, and others that fonts leave blank or have no picture of.
const invisible =
  /[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Cn}\p{Co}\p{Cs}\u2800\ufffc\u{13441}\u{13442}\u{1d159}]|\u{16fe4}/u;
// More marks on one letter than any language has: they cover what stands above and below.
const tooManyMarks = /\p{M}{5}/u;
const outerWhiteSpace = /^\s|\s$/u;
const oddWhiteSpace = /[^\S ]| {2}/u;

/**
 * The rule that the name of a new client or guest breaks: those of `nameProblem`, and some against names that look like
 * others. Not for names that exist: their clients keep them.
 */
export function newNameProblem(name: string): string | undefined {
  const problem = nameProblem(name) ?? lookAlikeProblem(name);
  if (problem !== undefined) return problem;
  return isHolderName(name) ? 'must not begin with "+": such names belong to the holders of tokens' : undefined;
}

/** The rule against look-alikes that a new name breaks, as the end of a sentence, or `undefined`. */
export function lookAlikeProblem(name: string): string | undefined {
  if (outerWhiteSpace.test(name)) return "must not begin or end with white space";
  if (oddWhiteSpace.test(name)) return "must not contain white space other than single spaces";
  if (invisible.test(name))
    return "must not contain characters that can't be seen, as of format, of zero width or unassigned ones";
  if (name.normalize("NFC") !== name) return "must be in Unicode's normalization form C";
  if (/^\p{M}/u.test(name)) return "must not begin with a combining mark";
  if (tooManyMarks.test(name)) return "must not have more than four combining marks in a row";
  return undefined;
}

/** The first character of a text that nobody sees, as in "U+200B", or `undefined`. */
export function invisibleIn(text: string): string | undefined {
  const [character] = invisible.exec(text) ?? [];
  return character && `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The same for the name of a peer to open a Connection to, which may be a built-in peer. */
export function peerProblem(name: string): string | undefined {
  const problem = textProblem(name, limits.maxNameBytes);
  if (problem !== undefined) return problem;
  if (name.includes(":")) return 'must not contain ":"';
  if (name === "." || name === "..") return 'must not be "." or "..": a URL can\'t have them in its path';
  return undefined;
}

/** The rule that an instance breaks, as the end of a sentence, or `undefined` for a valid one. */
export function instanceProblem(instance: string): string | undefined {
  const problem = textProblem(instance, limits.maxInstanceBytes) ?? lookAlikeProblem(instance);
  if (problem !== undefined) return problem;
  if (instance.includes(":")) return 'must not contain ":"';
  return instance.startsWith("@") ? 'must not begin with "@": such labels are the router\'s own' : undefined;
}

/** How a session is called: by its client's name, and by its instance, if it has one, after a colon. */
export function labelOf(name: string, instance: string): string {
  return instance === "" ? name : `${name}:${instance}`;
}

/** A label's name, and its instance, which is empty where there is none. */
export function splitLabel(label: string): { readonly name: string; readonly instance: string } {
  const at = label.indexOf(":");
  return at === -1 ? { name: label, instance: "" } : { name: label.slice(0, at), instance: label.slice(at + 1) };
}

/** The rule that the label of a peer breaks, as the end of a sentence, or `undefined` for a valid one. */
export function labelProblem(label: string): string | undefined {
  const { name, instance } = splitLabel(label);
  const problem = peerProblem(name);
  if (problem !== undefined || !label.includes(":")) return problem;
  const rule = instanceProblem(instance);
  return rule && `has an instance that ${rule}`;
}

/** The rule that a protocol's name breaks, as the end of a sentence, or `undefined` for a valid one. */
export function protocolProblem(protocol: string): string | undefined {
  return textProblem(protocol, limits.maxProtocolBytes);
}

/** The rule that a realm's name breaks, as the end of a sentence, or `undefined` for a valid one. */
export function realmProblem(name: string): string | undefined {
  if (name === "") return "must not be empty";
  if (name.length > limits.maxRealmLength) return `must have at most ${limits.maxRealmLength} characters`;
  if (!realm.test(name)) return 'must consist of "a" to "z", "0" to "9" and inner "-"';
  return undefined;
}

/** The jurisdiction in which the objects of a realm are, by its name; `undefined` for any. */
export function jurisdictionOf(realmName: string): Jurisdiction | undefined {
  return jurisdictions.find((jurisdiction) => realmName.endsWith(`.${jurisdiction}`));
}

function textProblem(text: string, maxBytes: number): string | undefined {
  if (text === "") return "must not be empty";
  // A UTF-16 code unit takes at least one byte, so a much too long string is refused without encoding it.
  if (text.length > maxBytes || utf8Length(text) > maxBytes) return `must have at most ${maxBytes} bytes`;
  if (!text.isWellFormed()) return "must be well-formed Unicode";
  if (controlCharacter.test(text)) return "must not contain control characters";
  return undefined;
}
