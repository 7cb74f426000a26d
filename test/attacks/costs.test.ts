import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { guessedSecret, invitationOf, invite, signed } from "./forge.ts";
import { attempt, attemptAs, offer } from "./raw-http.ts";
import { guessedTicket } from "../support/credentials.ts";
import { underAttack } from "./victims.ts";

// test/workerd/kv.test.ts counts that a guess asks neither KV nor an object. Here is what is left of a thousand guesses.

const stateDirectory = mkdtempSync(join(tmpdir(), "mp-costs-"));
const victims = underAttack(() => ({ stateDirectory }));
afterAll(() => {
  rmSync(stateDirectory, { recursive: true, force: true });
});

/** The files of all objects that there ever were. */
function objects(): string[] {
  const files = readdirSync(join(stateDirectory, "state"), { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".sqlite")).toSorted();
}

test("an object that exists has its file", async () => {
  const before = objects();
  expect(before.length).toBeGreaterThan(0);
  expect((await victims.admin("POST", "real/clients", '{"name":"first"}')).status).toBe(201);
  await expect.poll(() => objects().length).toBeGreaterThan(before.length);
});

test("a thousand guesses for a thousand realms make no object", async () => {
  const before = objects();
  const { url } = victims.router;
  const secret = await victims.secretOf("owner");
  const text = invite("owner", secret, { uses: 1_000 });
  const forged = signed(invitationOf("owner", secret), Buffer.alloc(16));
  for (let first = 0; first < 1_000; first += 20) {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, at) => {
        const path = `/connect/realm-${first + at}`;
        // A secret that is valid in another realm is a guess in this one.
        if (at === 0) return attemptAs(url, "owner", secret, path);
        if (at === 1) return attemptAs(url, "owner/guest", text, path);
        if (at === 2) return attemptAs(url, "owner/guest", forged, path);
        if (at === 3) return attempt(url, path, [[offer[0], `${offer[1]}, ${guessedTicket}`]]);
        return attemptAs(url, "owner", guessedSecret(), path);
      }),
    );
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([401]));
  }
  expect(objects()).toEqual(before);
});

test("a thousand admin requests without the token make no object", async () => {
  const before = objects();
  for (let first = 0; first < 1_000; first += 20) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        victims.admin("POST", `other-${first + at}/clients`, '{"name":"intruder"}', "guess"),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    for (const answer of answers) await answer.arrayBuffer();
  }
  expect(objects()).toEqual(before);
});

test("a thousand admin requests that make nothing, with the token, make no object", async () => {
  const before = objects();
  const requests = [
    ["GET", "clients", 200],
    ["GET", "clients/alice", 404],
    ["GET", "rules", 200],
    ["GET", "rules/test?opener=a&peer=b&protocol=c", 200],
    ["GET", "audit", 200],
    ["GET", "usage", 200],
    ["POST", "clients/alice/rotate", 404],
    ["POST", "clients/alice/disable", 404],
    ["DELETE", "clients/alice", 404],
    ["POST", "restart", 204],
  ] as const;
  for (let realm = 0; realm < 100; realm++) {
    const answers = await Promise.all(requests.map(([method, path]) => victims.admin(method, `none-${realm}/${path}`)));
    expect(answers.map(({ status }) => status)).toEqual(requests.map(([, , status]) => status));
    for (const answer of answers) await answer.arrayBuffer();
  }
  expect(objects()).toEqual(before);
  // A realm exists from its first rules or its first client on.
  expect((await victims.admin("PUT", "ruled/rules", "default closed")).status).toBe(204);
  expect(await (await victims.admin("GET", "ruled/rules")).text()).toBe("default closed");
});
