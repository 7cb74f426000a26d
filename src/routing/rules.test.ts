import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { patternOf } from "./pattern.ts";
import { type ClientName, Rules, RulesError } from "./rules.ts";

const document = `# people
role staff = alice, bob
role all = @staff guest-*

allow @staff -> files-* : ssh, sftp   # and nobody else
deny  *      -> vault : *
allow "a b"  -> "odd:name, #1" : "a protocol"
allow @all   -> * : $ping
default closed`;

describe("rules", () => {
  const rules = Rules.parse(document);

  test.each<readonly [opener: string, peer: string, protocol: string, isAllowed: boolean, line: number]>([
    ["alice", "files-1", "ssh", true, 5],
    ["bob", "files-", "sftp", true, 5],
    ["bob", "files-1", "telnet", false, 9],
    ["carol", "files-1", "ssh", false, 9],
    ["alice", "vault", "$ping", false, 6],
    ["a b", "odd:name, #1", "a protocol", true, 7],
    ["guest-7", "bob", "$ping", true, 8],
    ["guest", "bob", "$ping", false, 9],
  ])("rules say of %s to %s about %s: %s, by line %i", (opener, peer, protocol, isAllowed, line) => {
    expect(rules.decide(opener, peer, protocol)).toEqual({ isAllowed, line });
  });

  test("a realm without rules allows everything", () => {
    expect(Rules.parse("").decide("a", "b", "c")).toEqual({ isAllowed: true, line: 0 });
    expect(Rules.parse("deny a -> b : c").decide("a", "b", "d")).toEqual({ isAllowed: true, line: 0 });
  });

  test.each([
    ["permit a -> b : c", /Line 1: "permit" is none of/],
    ["\nallow a -> b", /Line 2: a rule is written/],
    ["allow -> b : c", /Line 1: a rule is written/],
    ["allow a : b -> c", /Line 1: a rule is written/],
    ["allow a -> b : c : d", /Line 1: a rule is written/],
    ["allow a = b -> c : d", /Line 1: a rule is written/],
    ['allow "a -> b : c', /Line 1: a quote without an end/],
    ['allow "\\x" -> b : c', /Line 1: a quoted name/],
    ["deny invite", /Line 1: a rule for guests is written/],
    ["deny invite a = b", /Line 1: a rule for guests is written/],
    ["deny invite rh/pr", /Line 1: a rule for guests names the clients that invite/],
    ["allow a -> b : c\ndeny invite rh/*", /Line 2: a rule for guests names the clients that invite/],
    ["role guests = bob rh/pr\ndeny invite @guests", /Line 2: a rule for guests names the clients that invite/],
    ['deny invite "rh/pr"', /Line 1: a rule for guests names the clients that invite/],
    ["deny b\u200bob -> a : *", /Line 1: it has a character that can't be seen, U\+200B/],
    ["role a = b\u{e0041}ob", /Line 1: it has a character that can't be seen, U\+E0041/],
    ["deny b\ufeffob -> a : *", /Line 1: it has a character that can't be seen, U\+FEFF/],
    ['deny "b\u00adob" -> a : *', /Line 1: it has a character that can't be seen, U\+00AD/],
    ["deny bob -> a : ss\u2060h", /Line 1: it has a character that can't be seen, U\+2060/],
    ["deny invite b\u3164ob", /Line 1: it has a character that can't be seen, U\+3164/],
    ["allow @none -> b : c", /Line 1: there is no role "none" above/],
    ["role a", /Line 1: a role is written/],
    ["role a = b\nrole a = c", /Line 2: there is a role "a" already/],
    ["default", /Line 1: it must be/],
    ["default maybe", /Line 1: it must be/],
    ["default open\nallow a -> b : c", /Line 2: nothing can follow "default"/],
  ])("rules that can't be parsed are refused with their line and the reason: %s", (text, message) => {
    expect(() => Rules.parse(text)).toThrow(message);
    expect(() => Rules.parse(text)).toThrow(RulesError);
  });

  test("a name with a character that can't be seen stands in rules as an escape, and comments may have any", () => {
    const rules = Rules.parse('\ufeffdeny "b\\u200bob" -> a : *  # ❤\ufe0f\ndefault open');
    expect([rules.decide("b\u200bob", "a", "x").isAllowed, rules.decide("bob", "a", "x").isAllowed]).toEqual([
      false,
      true,
    ]);
  });

  test("any string is either rules or an error that names a line", () => {
    const word = fc.constantFrom(
      "role",
      "allow",
      "deny",
      "invite",
      "default",
      "open",
      "closed",
      "@a",
      "a",
      "*",
      "->",
      ":",
      "=",
      '"',
      "#",
      ",",
      " ",
      "\n",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(word).map((words) => words.join(" ")),
        ),
        (text) => {
          try {
            Rules.parse(text).decide("a", "b", "c");
          } catch (error) {
            if (!(error instanceof RulesError) || !/^Line \d+: /.test(error.message)) throw error;
          }
        },
      ),
    );
  });

  test("the first rule for invitations that names a host decides whether its guests are let in", () => {
    const staff = Rules.parse("role staff = alice bob\nallow invite @staff, guest-*\ndeny invite *\ndefault open");
    const hosts = ["alice", "bob", "guest-1", "carol"];
    expect(hosts.filter((host) => staff.mayInvite(host))).toEqual(["alice", "bob", "guest-1"]);
    // A rule for what may be opened says nothing about guests.
    expect(Rules.parse("default closed").mayInvite("alice")).toBe(true);
    const named = Rules.parse("deny invite -> b : c");
    expect([named.mayInvite("alice"), named.decide("invite", "b", "c").isAllowed]).toEqual([true, false]);
  });

  test("rules for a guest are those of its host, and lines above them that deny something to its own name", () => {
    const rules = Rules.parse(
      ["deny alice/* -> vault : *", "allow alice -> * : *", "deny alice/* -> bob : *", "allow eve/* -> bob : *"].join(
        "\n",
      ) + "\ndefault closed",
    );
    const lineFor = (opener: ClientName, peer: string): number => rules.decide(opener, peer, "x").line;
    const guest = { host: "alice", guest: "alice/printer" };
    expect([lineFor("alice", "vault"), lineFor("alice", "bob")]).toEqual([2, 2]);
    expect([lineFor(guest, "vault"), lineFor(guest, "bob")]).toEqual([1, 2]);
    expect(rules.isAnythingAllowed(guest, "vault")).toBe(false);
    expect(rules.digest(guest, "vault")).not.toBe(rules.digest("alice", "vault"));
    // A host chooses its guests' names: they give nothing that the host doesn't have.
    expect(lineFor({ host: "eve", guest: "eve/admin" }, "bob")).toBe(5);
    expect(Rules.parse("deny alice/* -> * : *").areAllOpen(guest, "bob")).toBe(false);
  });

  const printer = { host: "alice", guest: "alice/printer" };
  const fax = { host: "alice", guest: "alice/fax" };

  test.each<readonly [rules: string, opener: ClientName, isAllowed: boolean]>([
    ["", "bob", true],
    ["default closed", "bob", false],
    ["allow bob -> alice : x\ndefault closed", "bob", true],
    ["deny * -> alice : *", "bob", false],
    ["deny * -> alice/p* : *", "bob", false],
    ["allow bob -> alice : x\ndeny * -> alice/* : *", "bob", true],
    ["deny * -> alice/* : *\nallow bob -> alice : x", "bob", false],
    // A host chooses its guests' names: they make nobody reachable that the rules don't.
    ["allow bob -> *printer : x\ndefault closed", "bob", false],
    ["allow bob -> alice/printer : x\ndefault closed", "bob", false],
    ["default closed", "alice", true],
    ["default closed", fax, true],
    ["default closed", { host: "bob", guest: "bob/fax" }, false],
    ["deny * -> * : *", "alice", false],
    ["deny alice -> alice/printer : *", "alice", false],
    ["deny alice/fax -> * : *", fax, false],
  ])("with the rules %j an open of %o to a guest of alice is allowed: %s", (text, opener, isAllowed) => {
    const rules = Rules.parse(text);
    expect(rules.decide(opener, printer, "x").isAllowed).toBe(isAllowed);
    expect(rules.isAnythingAllowed(opener, printer)).toBe(isAllowed);
    // What was found out for a client holds for no guest with the same rules.
    expect(rules.isAnythingAllowed(opener, "zoe")).toBe(rules.decide(opener, "zoe", "x").isAllowed);
    expect(rules.digest(opener, printer)).not.toBe(Rules.parse("deny * -> * : x").digest(opener, printer));
  });

  test("a comparison of rules tells between which two names something changed, and whether anything is still allowed", () => {
    const [before, after] = [Rules.parse("deny a -> c : x"), Rules.parse("deny a -> b : y\ndefault open")];
    expect(before.digest("a", "b")).not.toBe(after.digest("a", "b"));
    expect(before.digest("b", "a")).toBe(after.digest("b", "a"));
    expect(before.digest("a", "c")).not.toBe(after.digest("a", "c"));
    expect([before.areAllOpen("a", "b"), before.areAllOpen("a", "c")]).toEqual([true, false]);
    const closed = Rules.parse("allow a -> b : x\ndeny c -> d : *\nallow c -> d : x\ndefault closed");
    expect(closed.isAnythingAllowed("a", "b")).toBe(true);
    expect(closed.isAnythingAllowed("b", "a")).toBe(false);
    expect(closed.isAnythingAllowed("c", "d")).toBe(false);
    expect(closed.areAllOpen("a", "b")).toBe(false);
  });
});

test("a pattern matches exactly the names that its regular expression does", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 12 });
  fc.assert(
    fc.property(text, fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 }), (source, subject) => {
      const expression = new RegExp(`^${source.replaceAll("*", ".*")}$`, "s");
      expect(patternOf(source).fits(subject)).toBe(expression.test(subject));
    }),
  );
});
