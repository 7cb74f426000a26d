import { errorCodes, goneReasons, limits, type TokenRights } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { openTo, toRouter } from "../../test/support/batches.ts";
import { type FakeLink, realmOf } from "../../test/support/routing-fakes.ts";
import type { TokenGrant } from "./link.ts";

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
