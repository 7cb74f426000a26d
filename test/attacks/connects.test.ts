import type { Usage } from "@messagepasser/protocol/admin";
import { expect, test } from "vitest";
import { invite } from "./forge.ts";
import { askForTicket, attemptAs, type Outcome } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

// Each link costs a request to Worker and object and a read of KV; so a client that comes and goes as fast as it can has to
// be refused before any of them but the first.

const connectsPer10s = 20;
// Ten seconds may end in between.
const mostAnswered = 2 * connectsPer10s;
const victims = underAttack(() => ({ connectsPer10s }));

async function usage(): Promise<Usage> {
  return (await (await victims.admin("GET", "default/usage")).json()) as Usage;
}

/** What becomes of 200 attempts, ten at once. */
async function statusesOf(one: (at: number) => Promise<{ status: number }>): Promise<number[]> {
  const statuses: number[] = [];
  for (let first = 0; first < 200; first += 10)
    statuses.push(
      ...(await Promise.all(Array.from({ length: 10 }, (_, at) => one(first + at)))).map((each) => each.status),
    );
  return statuses;
}

const count = (statuses: readonly number[], status: number): number =>
  statuses.filter((each) => each === status).length;

async function late(one: () => Promise<Outcome>): Promise<Outcome> {
  for (;;) {
    const outcome = await one();
    if (outcome.status === 429) return outcome;
  }
}

test("a client that comes and goes is put off before the object is asked, and others aren't", async () => {
  const secret = await victims.secretOf("mallory");
  const before = await usage();
  const statuses = await statusesOf(() => attemptAs(victims.router.url, "mallory", secret));
  expect(count(statuses, 101)).toBeLessThanOrEqual(mostAnswered);
  expect(count(statuses, 101) + count(statuses, 429)).toBe(200);
  expect((await usage()).upgrades - before.upgrades).toBe(count(statuses, 101));
  const { headers, body } = await late(() => attemptAs(victims.router.url, "mallory", secret));
  expect([headers.get("retry-after"), body]).toEqual(["10", expect.stringContaining("too-many-connects")]);
  expect((await attemptAs(victims.router.url, "carol", await victims.secretOf("carol"))).status).toBe(101);
});

test("a client that is disabled, and a used invitation, are put off before the object is asked", async () => {
  const secret = await victims.secretOf("disabled");
  expect((await victims.admin("POST", "default/clients/disabled/disable")).status).toBe(200);
  const host = await victims.secretOf("host");
  const used = invite("host", host, { uses: 1 });
  expect((await attemptAs(victims.router.url, "host/guest", used)).status).toBe(101);
  for (const [name, text] of [
    ["disabled", secret],
    ["host/guest", used],
  ] as const) {
    const before = await usage();
    const statuses = await statusesOf(() => attemptAs(victims.router.url, name, text));
    expect(count(statuses, 401)).toBeLessThanOrEqual(mostAnswered);
    expect((await usage()).upgrades - before.upgrades).toBe(count(statuses, 401));
  }
  // Guests count together, whatever the invitation, and don't keep their host out.
  const more = await statusesOf((at) =>
    attemptAs(victims.router.url, `host/${at}`, invite("host", host, { guest: `${at}` })),
  );
  expect(count(more, 101)).toBeLessThanOrEqual(mostAnswered);
  expect((await attemptAs(victims.router.url, "host", host)).status).toBe(101);
});

test("a used invitation that is tried again and again keeps no other guest of its host out", async () => {
  const host = await victims.secretOf("hostess");
  const used = invite("hostess", host, { uses: 1 });
  expect((await attemptAs(victims.router.url, "hostess/guest", used)).status).toBe(101);
  await late(() => attemptAs(victims.router.url, "hostess/guest", used));
  await late(() => attemptAs(victims.router.url, "hostess/guest", used));
  const other = invite("hostess", host, { guest: "other" });
  expect((await attemptAs(victims.router.url, "hostess/other", other)).status).toBe(101);
});

test("four used invitations that are tried together again and again keep no other guest of their host out", async () => {
  const host = await victims.secretOf("landlady");
  const tries = Array.from({ length: 4 }, (_, at) => {
    const text = invite("landlady", host, { guest: `${at}`, uses: 1 });
    return () => attemptAs(victims.router.url, `landlady/${at}`, text);
  });
  for (const status of [101, 401])
    expect((await Promise.all(tries.map((one) => one()))).map((outcome) => outcome.status)).toEqual(
      tries.map(() => status),
    );
  await Promise.all(tries.map(late));
  const other = invite("landlady", host, { guest: "other" });
  expect((await attemptAs(victims.router.url, "landlady/other", other)).status).toBe(101);
});

test("the holder of a client's former secret, which tries again and again, doesn't keep that client out", async () => {
  const former = await victims.secretOf("rotated");
  const rotated = await victims.admin("POST", "default/clients/rotated/rotate");
  const { secret } = (await rotated.json()) as { secret: string };
  await late(() => attemptAs(victims.router.url, "rotated", former));
  expect((await attemptAs(victims.router.url, "rotated", secret)).status).toBe(101);
});

test("a client that asks for tickets without end is put off as for links", async () => {
  const secret = await victims.secretOf("page");
  const before = await usage();
  const statuses = await statusesOf(() => askForTicket(victims.router.url, "page", secret));
  expect(count(statuses, 200)).toBeLessThanOrEqual(mostAnswered);
  expect((await usage()).tickets - before.tickets).toBe(count(statuses, 200));
});
