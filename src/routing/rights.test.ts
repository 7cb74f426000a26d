import { errorCodes, goneReasons, limits, type TokenRights } from "@messagepasser/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openTo, toRouter } from "../../test/support/batches.ts";
import { FakeLink, grantOf, realmOf } from "../../test/support/routing-fakes.ts";
import type { TokenGrant } from "./link.ts";
import { patternOf } from "./pattern.ts";
import { servedBy, servingProblem } from "./rights.ts";

function tokenOf(rights: TokenRights): TokenGrant {
  return { key: "shop", expiresAtMs: Number.MAX_SAFE_INTEGER, rights };
}

const chat = { open: [{ peer: "bob", protocol: "chat" }], serve: ["news"] };

function heard(link: FakeLink): object[] {
  return link.take().filter((item) => !("kind" in item && item.kind === "welcome"));
}

test("a holder that comes back with a narrower token is told to check what is open, and is denied what the token no longer allows", () => {
  const realm = realmOf();
  const bob = realm.join("bob");
  const session = "a".repeat(32);
  const first = realm.join("+shop/ann", { session, token: tokenOf({}) });
  realm.routing.receive(first, toRouter(openTo("bob", { protocol: "files" })));
  const again = realm.join("+shop/ann", { session, token: tokenOf(chat) });
  heard(bob);
  heard(again);
  realm.routing.receive(again, toRouter({ kind: "resume", session: bob.session, peer: "bob" }));
  expect(heard(again)).toContainEqual({ kind: "rulesChanged", address: bob.address });
  expect(heard(bob)).toContainEqual({ kind: "rulesChanged", address: again.address });
  for (const protocol of ["files", "chat"])
    realm.routing.receive(again, toRouter({ kind: "check", address: bob.address, opener: 1, protocol }));
  expect(heard(again)).toEqual([expect.objectContaining({ kind: "denied", protocol: "files" })]);
});

test("a holder that comes back with a token for nothing that it had open loses its pairs", () => {
  const realm = realmOf();
  const bob = realm.join("bob");
  const session = "a".repeat(32);
  const first = realm.join("+shop/ann", { session, token: tokenOf({}) });
  realm.routing.receive(first, toRouter(openTo("bob")));
  const again = realm.join("+shop/ann", { session, token: tokenOf({ open: [] }) });
  heard(again);
  realm.routing.receive(again, toRouter({ kind: "resume", session: bob.session, peer: "bob" }));
  expect(heard(again)).toEqual([{ kind: "absent", session: bob.session, reason: goneReasons.forbidden, peer: "bob" }]);
});

test("a refusal by a token fits its frame, however long peer and protocol are", () => {
  const realm = realmOf();
  const ann = realm.join("+shop/ann", { token: tokenOf({ open: [] }) });
  heard(ann);
  const [peer, protocol] = ["n".repeat(limits.maxNameBytes), "p".repeat(limits.maxProtocolBytes)];
  realm.routing.receive(ann, toRouter(openTo(peer, { protocol })));
  const [answer] = heard(ann);
  expect(answer).toMatchObject({ kind: "refused", code: errorCodes.notAllowed });
  expect((answer as { reason: string }).reason.length).toBeLessThanOrEqual(limits.maxReasonBytes);
});

test("a holder that serves nothing lists the names to which its token lets it open something, and itself", () => {
  const realm = realmOf();
  realm.join("bob");
  realm.join("carol");
  const ann = realm.join("+shop/ann", { token: tokenOf({ open: chat.open }) });
  heard(ann);
  realm.routing.receive(ann, toRouter({ kind: "list", request: 1, cursor: "" }));
  expect(heard(ann)).toEqual([{ kind: "peers", request: 1, cursor: "", names: ["+shop/ann", "bob"] }]);
});

test("watchers hear of the services that a guest's client says and its invitation allows, whatever the patterns", () => {
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 4 });
  const protocol = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(pattern), fc.array(pattern), protocol, (allowed, said, name) => {
      const fits = (patterns: readonly string[]): boolean => patterns.some((each) => patternOf(each).fits(name));
      const grant = grantOf("alice", "", "", allowed);
      const link = new FakeLink(1, "alice/eve", { grant, services: { alone: said, shared: [] } });
      const isServed = servingProblem(link, name) === undefined && fits(said);
      expect(fits(servedBy(link)) && !isServed).toBe(false);
      // Where one of two patterns has all of the other, nothing is missing.
      const areNested = said.length === 1 && allowed.length === 1 && (said[0] === "*" || allowed[0] === "*");
      if (areNested) expect(fits(servedBy(link))).toBe(isServed);
      link.services = { alone: ["*"], shared: [] };
      expect(fits(servedBy(link))).toBe(fits(allowed));
    }),
  );
});

test("a watcher can read the frame about a client's services, however many and long its token and its client say", () => {
  const realm = realmOf();
  const bob = realm.join("bob");
  const letters = Array.from({ length: 60 }, (_, at) => String.fromCharCode(65 + at));
  const long = "x".repeat(limits.maxProtocolBytes + 1);
  const ann = realm.join("+shop/ann", { token: tokenOf({ serve: [...letters, long, `*${long}`] }) });
  const told = (): unknown[] => {
    realm.routing.receive(bob, toRouter({ kind: "watch", request: 1, pattern: "+shop/*" }));
    return bob.take().flatMap((item) => ("kind" in item && item.kind === "present" ? item.services : []));
  };
  expect(told()).toEqual(letters);
  const add = Array.from({ length: 40 }, (_, at) => "*".repeat(at + 1));
  realm.routing.receive(ann, toRouter({ kind: "serve", share: 0, add, remove: [] }));
  expect(told()).toEqual(letters);
});

test("an open tells nobody whether a holder is connected that the opener may not see", () => {
  const realm = realmOf();
  const mallory = realm.join("mallory");
  const answersToOpen = (): object[] => {
    realm.routing.receive(mallory, toRouter(openTo("+shop/ann")));
    return heard(mallory);
  };
  const before = answersToOpen();
  expect(before).toMatchObject([{ kind: "refused", code: errorCodes.peerAbsent }]);
  realm.join("+shop/ann", { token: tokenOf({ open: chat.open }) });
  expect(answersToOpen()).toEqual(before);
});
