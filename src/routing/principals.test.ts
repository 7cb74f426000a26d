import { routerLimits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { grantOf } from "../../test/support/routing-fakes.ts";
import { Principals } from "./principals.ts";

const { maxIdleAccounts } = routerLimits;

test("a client has one account for all its links, and its guests have another one together", () => {
  const principals = new Principals();
  const alice = principals.of({ name: "alice" });
  expect(principals.of({ name: "alice" })).toBe(alice);
  const guests = principals.of({ name: "alice/eve", grant: grantOf("alice") });
  expect(principals.of({ name: "alice/mallory", grant: grantOf("alice") })).toBe(guests);
  expect(guests).not.toBe(alice);
  expect([alice.principal, guests.principal, guests.isOfGuests, alice.isOfGuests]).toEqual([alice, alice, true, false]);
  expect(principals.of({ name: "bob" }).principal).not.toBe(alice);
});

test("each holder of a token has an account of its own, and those of one key share a group", () => {
  const principals = new Principals();
  const holder = (key: string, sub: string) => principals.of({ name: `+${key}/${sub}`, token: { key } });
  const ann = holder("shop", "ann");
  expect(holder("shop", "ann")).toBe(ann);
  expect([holder("shop", "ben") === ann, holder("shop", "ben").group === ann.group]).toEqual([false, true]);
  expect(holder("forum", "ann").group).not.toBe(ann.group);
  expect([ann.principal, principals.of({ name: "ann" }).group]).toEqual([ann, undefined]);
});

test("the accounts of clients that left are forgotten once there are many, and no others", () => {
  const principals = new Principals();
  const connected = principals.of({ name: "connected" });
  connected.links = 1;
  const host = principals.of({ name: "host" });
  const guests = principals.of({ name: "host/eve", grant: grantOf("host") });
  guests.closingLinks = 1;
  const left = principals.of({ name: "left" });
  for (let at = 0; at < maxIdleAccounts; at++) principals.of({ name: `client ${at}` });
  expect(principals.of({ name: "connected" })).toBe(connected);
  expect(principals.of({ name: "host" })).toBe(host);
  expect(principals.of({ name: "host/eve", grant: grantOf("host") })).toBe(guests);
  expect(principals.of({ name: "left" })).not.toBe(left);
});
