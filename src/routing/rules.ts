import { invisibleIn, protocolProblem, routerLimits } from "@messagepasser/protocol";
import type { Decision } from "@messagepasser/protocol/admin";
import { NameGroups } from "./name-groups.ts";
import { type Pattern, patternOf } from "./pattern.ts";

interface Rule {
  readonly line: number;
  readonly isAllow: boolean;
  readonly openers: readonly Pattern[];
  readonly peers: readonly Pattern[];
  readonly protocols: readonly Pattern[];
}

/** The name of a client, or of a guest and the client that invited it. */
export type ClientName = string | { readonly host: string; readonly guest: string };

/** Whether clients may invite guests. */
interface InviteRule {
  readonly isAllow: boolean;
  readonly hosts: readonly Pattern[];
}

/** A line of rules can't be parsed. The message says which line, and why. */
export class RulesError extends Error {
  override readonly name = "RulesError";
}

/**
 * Which client of a realm may open which protocol to which peer. Rules are lines of text, and the first line that fits an
 * open decides:
 *
 *     # people
 *     role staff = alice bob
 *     allow @staff -> files-* : ssh sftp
 *     deny  *      -> vault   : *
 *     allow invite @staff
 *     deny  invite *
 *     default closed
 *
 * A guest may open what its host may, and be opened what its host may be opened, unless a line before that denies it to
 * the guest's own name: lines can't allow a guest what its host may not, since hosts choose the names of their guests. What
 * a client and its guests open to these guests is allowed unless a line denies it.
 *
 * In names and protocols `*` stands for any characters. A name with spaces or signs is a JSON string. Without a line
 * `default`, everything is allowed that no other line denies. A rule with `invite` says whose guests are let in, whatever
 * `default` says: without such a rule everybody's.
 */
export class Rules {
  readonly #inviteRules: readonly InviteRule[];
  readonly #default: Decision;
  /** Clients by the rules for what they open, and for what is opened to them. */
  readonly #openers: NameGroups<Rule>;
  readonly #peers: NameGroups<Rule>;
  /** Whether the lines let those of one group open anything to those of another. */
  #reach = new Map<readonly Rule[], Map<readonly Rule[], boolean | "default">>();
  #reachSize = 0;

  private constructor(rules: readonly Rule[], inviteRules: readonly InviteRule[], byDefault: Decision) {
    this.#inviteRules = inviteRules;
    this.#default = byDefault;
    this.#openers = new NameGroups(rules);
    this.#peers = new NameGroups(rules);
  }

  /** Parses rules. @throws RulesError */
  static parse(text: string): Rules {
    const roles = new Roles();
    const rules: Rule[] = [];
    const inviteRules: InviteRule[] = [];
    let byDefault: Decision | undefined;
    text.split("\n").forEach((source, at) => {
      const line = at + 1;
      const fail = (what: string): never => {
        throw new RulesError(`Line ${line}: ${what}`);
      };
      const [verb, ...words] = wordsOf(source, fail);
      if (verb === undefined) return;
      if (byDefault !== undefined) fail('nothing can follow "default", which is what decides last');
      switch (verb.text) {
        case "role": {
          const [name, equals, ...members] = words;
          if (name === undefined || equals?.text !== "=" || members.length === 0)
            return fail('a role is written "role NAME = CLIENT…"');
          if (roles.has(name.text)) fail(`there is a role "${name.text}" already`);
          roles.add(name.text, roles.patternsOf(members, fail));
          break;
        }
        case "allow":
        case "deny": {
          if (isInvite(words)) {
            if (words.length === 1 || !areClean(words))
              return fail('a rule for guests is written "deny invite CLIENT…"');
            const hosts = roles.patternsOf(words.slice(1), fail);
            // It would hold for no guest: an owner would believe that it does.
            if (hosts.some((pattern) => pattern.source.includes("/")))
              fail('a rule for guests names the clients that invite, as in "deny invite CLIENT", and not their guests');
            inviteRules.push({ isAllow: verb.text === "allow", hosts });
            break;
          }
          const [openers, peers, protocols] = partsOf(words, fail);
          for (const { text: protocol } of protocols) {
            const problem = protocolProblem(protocol);
            if (problem !== undefined) fail(`a protocol ${problem}`);
          }
          rules.push({
            line,
            isAllow: verb.text === "allow",
            openers: roles.patternsOf(openers, fail),
            peers: roles.patternsOf(peers, fail),
            protocols: protocols.map(patternIn),
          });
          break;
        }
        case "default": {
          const [which, ...more] = words;
          if ((which?.text !== "open" && which?.text !== "closed") || more.length > 0)
            return fail('it must be "default open" or "default closed"');
          byDefault = { isAllowed: which.text === "open", line };
          break;
        }
        default:
          fail(`"${verb.text}" is none of "role", "allow", "deny" and "default"`);
      }
    });
    return new Rules(rules, inviteRules, byDefault ?? { isAllowed: true, line: 0 });
  }

  /** Whether a client may open a protocol to a peer. */
  decide(opener: ClientName, peer: ClientName, protocol: string): Decision {
    for (const rule of this.#rulesFor(opener)) {
      const { line, isAllow, protocols } = rule;
      if (fitsPeer(rule, peer) && fits(protocols, protocol)) return { isAllowed: isAllow, line };
    }
    return this.#defaultFor(opener, peer);
  }

  /** Whether the guests of a client are let in. */
  mayInvite(host: string): boolean {
    return this.#inviteRules.find(({ hosts }) => fits(hosts, host))?.isAllow ?? true;
  }

  /** A digest of what one client may open to another: equal digests allow the same. */
  digest(opener: ClientName, peer: ClientName): string {
    const lines = this.#between(opener, peer).map(({ isAllow, protocols }) => [
      isAllow,
      ...protocols.map(({ source }) => source),
    ]);
    return JSON.stringify([...lines, this.#defaultFor(opener, peer).isAllowed]);
  }

  /** Whether one client may open anything to another. */
  isAnythingAllowed(opener: ClientName, peer: ClientName): boolean {
    const ofOpener = this.#rulesFor(opener);
    const byLines = ofOpener.length === 0 ? "default" : this.#reachOf(ofOpener, peer);
    return byLines === "default" ? this.#defaultFor(opener, peer).isAllowed : byLines;
  }

  #reachOf(ofOpener: readonly Rule[], peer: ClientName): boolean | "default" {
    const ofPeer = this.#peers.of(keyOf(peer), (rule) => fitsPeer(rule, peer));
    let reach = this.#reach.get(ofOpener);
    const known = reach?.get(ofPeer);
    if (known !== undefined) return known;
    // Starts again, as the groups do.
    if (++this.#reachSize > routerLimits.maxCachedReach) {
      this.#reach = new Map();
      this.#reachSize = 1;
      reach = undefined;
    }
    if (reach === undefined) this.#reach.set(ofOpener, (reach = new Map()));
    const byLines = isAnyAllowed(ofOpener, new Set(ofPeer));
    reach.set(ofPeer, byLines);
    return byLines;
  }

  /** Whether one client may open everything to another. */
  areAllOpen(opener: ClientName, peer: ClientName): boolean {
    return this.#defaultFor(opener, peer).isAllowed && this.#between(opener, peer).every(({ isAllow }) => isAllow);
  }

  #between(opener: ClientName, peer: ClientName): readonly Rule[] {
    return this.#rulesFor(opener).filter((rule) => fitsPeer(rule, peer));
  }

  /** The rules for one opener, in their order. */
  #rulesFor(opener: ClientName): readonly Rule[] {
    return this.#openers.of(keyOf(opener), ({ isAllow, openers }) => fitsClient(openers, isAllow, opener));
  }

  /** What decides where no line does. A client has invited its guests to serve something: they are its own. */
  #defaultFor(opener: ClientName, peer: ClientName): Decision {
    const isOwnGuest = typeof peer !== "string" && peer.host === (typeof opener === "string" ? opener : opener.host);
    return isOwnGuest ? { isAllowed: true, line: 0 } : this.#default;
  }
}

/** Whether lines let an opener open anything to a peer, by the rules for the two. */
function isAnyAllowed(ofOpener: readonly Rule[], ofPeer: ReadonlySet<Rule>): boolean | "default" {
  // An allow line counts unless a line above it denies everything.
  for (const rule of ofOpener) {
    if (!ofPeer.has(rule)) continue;
    if (rule.isAllow) return true;
    if (rule.protocols.some(({ source }) => source === "*")) return false;
  }
  return "default";
}

/** A key of a client's name. No name has a line feed. */
function keyOf(name: ClientName): string {
  return typeof name === "string" ? name : `${name.host}\n${name.guest}`;
}

function fitsPeer({ isAllow, peers }: Rule, peer: ClientName): boolean {
  return fitsClient(peers, isAllow, peer);
}

/** Whether the names in a rule are a client's, or those for a guest. */
function fitsClient(names: readonly Pattern[], isAllow: boolean, client: ClientName): boolean {
  if (typeof client === "string") return fits(names, client);
  return fits(names, client.host) || (!isAllow && fits(names, client.guest));
}

interface Word {
  readonly text: string;
  /** A quoted word is a name, never a sign or a role. */
  readonly isQuoted: boolean;
}

type Fail = (what: string) => never;

/** The words of a line without its comment. */
function wordsOf(line: string, fail: Fail): Word[] {
  const words: Word[] = [];
  const pattern = /\s*(?:(#.*)|("(?:[^"\\]|\\.)*")|(->|[=:])|([^\s,=:"#]+)|(,)|(.))/suy;
  const text = line.trimEnd();
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [whole, comment, quoted, sign, plain, comma] = match;
    if (comment !== undefined) break;
    // A text may begin with a byte order mark. Inside of a line it would end a word that looks whole.
    const invisible = invisibleIn(match.index === 0 ? whole.trimStart() : whole);
    if (invisible !== undefined)
      fail(`it has a character that can't be seen, ${invisible}: write it as an escape, as in "b\\u200bob"`);
    if (comma !== undefined) continue;
    if (quoted !== undefined) words.push({ text: unquoted(quoted, fail), isQuoted: true });
    else words.push({ text: sign ?? plain ?? fail("a quote without an end"), isQuoted: false });
  }
  return words;
}

function unquoted(text: string, fail: Fail): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    return fail("a quoted name must be a JSON string");
  }
}

/** Whether the words of a rule are for invitations: a client may be called "invite" too. */
function isInvite(words: readonly Word[]): boolean {
  const [first] = words;
  return first?.text === "invite" && !first.isQuoted && !words.some(({ text }) => text === "->");
}

/** The openers, peers and protocols of a rule. */
function partsOf(words: readonly Word[], fail: Fail): [Word[], Word[], Word[]] {
  const arrow = words.findIndex(({ text, isQuoted }) => text === "->" && !isQuoted);
  const colon = words.findIndex(({ text, isQuoted }) => text === ":" && !isQuoted);
  const parts: [Word[], Word[], Word[]] = [
    words.slice(0, Math.max(arrow, 0)),
    words.slice(arrow + 1, Math.max(colon, 0)),
    words.slice(colon + 1),
  ];
  const isWhole = arrow > 0 && colon > arrow && parts.every((part) => part.length > 0);
  return isWhole && areClean(parts.flat()) ? parts : fail('a rule is written "allow OPENER… -> PEER… : PROTOCOL…"');
}

/** Whether words are only names and roles. */
function areClean(words: readonly Word[]): boolean {
  return words.every(({ text, isQuoted }) => isQuoted || !["->", ":", "="].includes(text));
}

/** The roles so far, and the number of patterns in all rules. */
class Roles {
  readonly #roles = new Map<string, readonly Pattern[]>();
  #patterns = 0;

  has(name: string): boolean {
    return this.#roles.has(name);
  }

  add(name: string, members: readonly Pattern[]): void {
    this.#roles.set(name, members);
  }

  /** The patterns that words stand for, roles among them. */
  patternsOf(words: readonly Word[], fail: Fail): Pattern[] {
    return words.flatMap((word) => {
      const isRole = !word.isQuoted && word.text.startsWith("@");
      const name = word.text.slice(1);
      const patterns = isRole ? (this.#roles.get(name) ?? fail(`there is no role "${name}" above`)) : [patternIn(word)];
      // Before a role's patterns are copied, so that a short text can't fill the memory.
      this.#patterns += patterns.length;
      if (this.#patterns > routerLimits.maxRulePatterns)
        fail(`more than ${routerLimits.maxRulePatterns} names and patterns, a role counted at each use`);
      return patterns;
    });
  }
}

/** A word as a pattern. In a quoted word `*` is an ordinary character. */
function patternIn({ text, isQuoted }: Word): Pattern {
  return isQuoted ? { source: JSON.stringify(text), fits: (other) => other === text } : patternOf(text);
}

function fits(patterns: readonly Pattern[], text: string): boolean {
  return patterns.some((pattern) => pattern.fits(text));
}
