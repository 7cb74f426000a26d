import { expect, test } from "vitest";
import type { Env } from "../../src/env.ts";
import { objectOf } from "../../src/realm/objects.ts";

/** A namespace that notes what it is asked for. @param failure what it says about jurisdictions, if it has none */
function namespaceOf(failure?: string): { asked: unknown[][]; env: Pick<Env, "ROUTER"> } {
  const asked: unknown[][] = [];
  const namespace = (jurisdiction?: string): unknown => ({
    getByName: (name: string, options: object) => void asked.push([jurisdiction, name, options]),
    jurisdiction: (wanted: string) => {
      if (failure !== undefined) throw new Error(failure);
      return namespace(wanted);
    },
  });
  return { asked, env: { ROUTER: namespace() } as Pick<Env, "ROUTER"> };
}

test("the objects of a realm are in the jurisdiction that its name ends with", () => {
  const { asked, env } = namespaceOf();
  for (const realm of ["fleet", "fleet.eu", "fleet.us", "fleet.fedramp", "eu", "fleet-eu"]) objectOf(env, realm, 1);
  expect(asked.map(([jurisdiction]) => jurisdiction)).toEqual([undefined, "eu", "us", "fedramp", undefined, undefined]);
});

test("an object is made where its realm's new shards are to be", () => {
  const { asked, env } = namespaceOf();
  objectOf(env, "fleet", 0);
  objectOf(env, "fleet.eu", 2, "weur");
  expect(asked).toEqual([
    [undefined, "fleet", {}],
    ["eu", "fleet.eu#2", { locationHint: "weur" }],
  ]);
});

test("where there are no jurisdictions, a realm that wants one works all the same, and any other failure is one", () => {
  const local = namespaceOf("Jurisdiction restrictions are not implemented in workerd.");
  objectOf(local.env, "fleet.eu", 0);
  expect(local.asked).toEqual([[undefined, "fleet.eu", {}]]);
  const broken = namespaceOf("Internal error");
  expect(() => {
    objectOf(broken.env, "fleet.eu", 0);
  }).toThrow("Internal error");
});
