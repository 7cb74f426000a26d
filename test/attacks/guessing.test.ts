import { randomBytes } from "node:crypto";
import { subprotocols } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { checkedSecretBytes, guessedSecret, tamperedSecret } from "./forge.ts";
import { type Answer, askForTicket, attempt, attemptAs, type HeaderLines, offer, ticketOf } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

/** Attempts that are under way at once, as of somebody in a hurry. */
const lanes = 20;

/** Makes as many attempts as asked for, some at a time. */
async function attempts<Result>(count: number, one: (at: number) => Promise<Result>): Promise<Result[]> {
  const outcomes: Result[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) outcomes.push(await one(next++));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes;
}

/** Everything that a stranger may learn: nothing in it depends on the name. */
const told = ({ status, headers, body }: Answer): string =>
  JSON.stringify([status, Array.from(headers).filter(([name]) => name !== "date"), body]);

/** An offer with a guessed ticket, as a page might make it. */
const guessedOffer = (): HeaderLines => [
  [offer[0], `${offer[1]}, ${subprotocols.ticketPrefix}${randomBytes(300).toString("base64url")}`],
];

describe("without a limit on failures", () => {
  const victims = underAttack();
  const url = (): URL => victims.router.url;

  test("1,500 guesses by header get one answer and let no client in, while the owner comes and goes", async () => {
    const secret = await victims.secretOf("owner");
    const guesses = attempts(1_500, (at) => attemptAs(url(), "owner", guessedSecret(1 + (at % 3))));
    const owner = await attemptAs(url(), "owner", secret);
    const outcomes = await guesses;
    expect(owner.welcome?.name).toBe("owner");
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([401]));
    expect(new Set(outcomes.map(told)).size).toBe(1);
  });

  test("500 guesses of tickets and 500 for tickets get one answer each, and let no client in", async () => {
    const outcomes = await attempts(500, () => attempt(url(), "/connect/default", guessedOffer()));
    expect(outcomes.filter(({ welcome }) => welcome !== undefined)).toEqual([]);
    const answers = await attempts(500, () => askForTicket(url(), "owner", guessedSecret()));
    for (const refused of [outcomes, answers]) {
      expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([401]));
      expect(new Set(refused.map(told)).size).toBe(1);
    }
  });

  test("a known secret with any one byte changed is refused", async () => {
    const secret = await victims.secretOf("owner");
    const outcomes = await attempts(checkedSecretBytes, (at) => attemptAs(url(), "owner", tamperedSecret(secret, at)));
    expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: checkedSecretBytes }, () => 401));
  });

  test("a known secret in another spelling is refused", async () => {
    const secret = await victims.secretOf("owner");
    const spellings = [
      secret.slice(0, -1),
      `${secret}A`,
      `${secret}=`,
      `${secret}\n`,
      ` ${secret}`,
      secret.toUpperCase(),
      secret.replace("mp_", "MP_"),
      secret.replace("mp_", "mpi_"),
      secret.replaceAll("-", "+").replaceAll("_", "/"),
    ];
    for (const spelling of spellings) expect((await attemptAs(url(), "owner", spelling)).status).toBe(401);
    // Names aren't normalised either: none of these is the owner.
    for (const name of ["Owner", "OWNER", "owner ", " owner", "owner\u0301", "ｏｗｎｅｒ"])
      expect((await attemptAs(url(), name, secret)).status).toBe(401);
  });

  test("names that exist and names that don't get the same answer, byte for byte", async () => {
    const names = ["alice", "bob", "owner", "nobody", "alice/guest", randomBytes(8).toString("hex")];
    for (const guess of [guessedSecret(), "mp_", "mpi_", "password", ""]) {
      const outcomes = await Promise.all(names.map((name) => attemptAs(url(), name, guess)));
      expect(new Set(outcomes.map(told)).size).toBe(1);
    }
  });
});

describe("with a limit on failures", () => {
  const failuresPerMinute = 20;
  // The minute may end in between, and the next one has as many again.
  const mostAnswered = 2 * failuresPerMinute;
  const victims = underAttack(() => ({ failuresPerMinute }));
  const url = (): URL => victims.router.url;
  const from = (address: string) => [["CF-Connecting-IP", address]] as const;

  /** The first attempt that was put off; fails if none is. */
  async function putOff<Result extends Answer>(one: (at: number) => Promise<Result>): Promise<Result> {
    for (let at = 0; at <= mostAnswered; at++) {
      const outcome = await one(at);
      if (outcome.status === 429) return outcome;
      expect([401, 101]).toContain(outcome.status);
    }
    throw new Error(`More than ${mostAnswered} guesses were answered`);
  }

  test.for(["owner", "nobody"])(
    'guesses for "%s" past the limit are put off, wherever they come from',
    async (name) => {
      if (name === "owner") await victims.secretOf(name);
      const late = await putOff((at) => attemptAs(url(), name, guessedSecret(), undefined, from(`192.0.2.${at}`)));
      expect(late.headers.get("retry-after")).toBe("60");
      expect(late.body).not.toContain(name);
      // The answer doesn't say whether this secret would have been right under another name.
      const outcomes = await attempts(100, () => attemptAs(url(), name, guessedSecret()));
      expect(outcomes.every(({ status, welcome }) => status >= 400 && welcome === undefined)).toBe(true);
    },
  );

  test("the owner still comes in past the limit of guesses, by header and by ticket", async () => {
    const secret = await victims.secretOf("owner");
    await putOff(() => attemptAs(url(), "owner", guessedSecret()));
    for (let times = 0; times < 5; times++) expect((await attemptAs(url(), "owner", secret)).welcome).toBeDefined();
    const ticket = await ticketOf(url(), "owner", secret);
    const { welcome } = await attempt(url(), "/connect/default", [[offer[0], `${offer[1]}, ${ticket}`]]);
    expect(welcome?.name).toBe("owner");
  });

  test("a page is put off past the limit of guesses too, with the time to wait", async () => {
    const { headers } = await putOff(() => askForTicket(url(), "owner", guessedSecret()));
    expect(headers.get("retry-after")).toBe("60");
    await putOff(() => attempt(url(), "/connect/default", [...guessedOffer(), ...from("198.51.100.9")]));
  });

  test("many names from one address are put off past the limit of guesses", async () => {
    await putOff((at) => attemptAs(url(), `name ${at}`, guessedSecret(), undefined, from("198.51.100.7")));
  });

  test("a secret that only the realm's object refuses counts like any other failure", async () => {
    const secret = await victims.secretOf("disabled");
    expect((await victims.admin("POST", "default/clients/disabled/disable")).status).toBe(200);
    await putOff(() => attemptAs(url(), "disabled", secret, undefined, from("198.51.100.8")));
  });
});
