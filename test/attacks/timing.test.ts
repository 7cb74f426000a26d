import { describe, expect, test } from "vitest";
import { guessedSecret, invitationOf, invite, signed, tamperedSecret } from "./forge.ts";
import { basic } from "../support/credentials.ts";
import { offer, RawHttp, upgradeText } from "./raw-http.ts";
import { compare, medianOf, tellingDeviations, timesOf } from "./statistics.ts";
import { underAttack } from "./victims.ts";

// A stranger's measurement: how long the router takes to say no, on a connection that is open already.

const rounds = 400;
const warmUpRounds = 50;

describe("the time of a refusal", () => {
  const victims = underAttack(() => ({ connectsPer10s: 1e9 }));

  /** Times refusals of some credentials, turn by turn. */
  async function refusals<Kind extends string>(
    credentials: Readonly<Record<Kind, readonly [name: string, secret: string]>>,
  ): Promise<Record<Kind, number[]>> {
    using http = await RawHttp.to(victims.router.url);
    const kinds = Object.fromEntries(
      Object.entries<readonly [string, string]>(credentials).map(([kind, [name, secret]]) => {
        const text = upgradeText("/connect/default", [offer, ["Authorization", basic(name, secret)]]);
        return [kind, async () => expect((await http.ask(text)).status).toBe(401)];
      }),
      // The entries are those of the parameter.
    ) as unknown as Record<Kind, () => Promise<void>>;
    await timesOf(kinds, warmUpRounds);
    return await timesOf(kinds, rounds);
  }

  function expectAlike(times: Readonly<Record<string, number[]>>): void {
    const [[one, first] = ["", []], ...others] = Object.entries(times);
    for (const [other, second] of others) {
      const { deviations, likelihood } = compare(first, second);
      const what = `${one} ${medianOf(first)} ms, ${other} ${medianOf(second)} ms, likelihood ${likelihood}`;
      expect(deviations, what).toBeLessThan(tellingDeviations);
    }
  }

  test("the time of a refusal doesn't tell an existing name from others", async () => {
    await victims.secretOf("owner");
    expectAlike(
      await refusals({
        "unknown name": ["nobody", guessedSecret()],
        "wrong secret": ["owner", guessedSecret()],
        connected: ["alice", guessedSecret()],
      }),
    );
  });

  test("the time of a refusal doesn't tell how much of a secret is right", async () => {
    const secret = await victims.secretOf("owner");
    expectAlike(
      await refusals({
        "nothing right": ["owner", guessedSecret()],
        // The first and the last byte of the MAC, and the first of what is random.
        "the MAC's end": ["owner", tamperedSecret(secret, 76)],
        "the MAC's beginning": ["owner", tamperedSecret(secret, 61)],
        random: ["owner", tamperedSecret(secret, 13)],
      }),
    );
  });

  test("the time of a refusal doesn't tell a revoked client's name from others to a client without its secret", async () => {
    await victims.secretOf("revoked");
    expect((await victims.admin("DELETE", "default/clients/revoked")).status).toBe(204);
    expectAlike(await refusals({ "unknown name": ["nobody", guessedSecret()], revoked: ["revoked", guessedSecret()] }));
  });

  test("the time of a refusal doesn't tell an existing host from others, nor the right key from another", async () => {
    const secret = await victims.secretOf("owner");
    const forged = (host: string): string => signed(invitationOf(host, secret), Buffer.alloc(16));
    expectAlike(
      await refusals({
        "unknown host": ["nobody/guest", forged("nobody")],
        host: ["owner/guest", forged("owner")],
        expired: ["owner/guest", invite("owner", secret, { expiresAtMs: 1 })],
      }),
    );
  });

  test("the time of a refusal for a formerly valid secret is that of a look into KV, which only its owner can cause", async () => {
    const former = await victims.secretOf("former");
    expect((await victims.admin("DELETE", "default/clients/former")).status).toBe(204);
    const rotated = await victims.secretOf("rotated");
    expect((await victims.admin("POST", "default/clients/rotated/rotate")).status).toBe(200);
    const {
      unknown,
      revoked: ofRevoked,
      rotated: ofRotated,
    } = await refusals({
      unknown: ["nobody", guessedSecret()],
      revoked: ["former", former],
      rotated: ["rotated", rotated],
    });
    // Shows as well that this measure finds a difference of some 0.4 ms where there is one.
    expect(compare(ofRevoked, unknown).deviations).toBeGreaterThan(tellingDeviations);
    // A former secret tells nobody how its client ended.
    expectAlike({ revoked: ofRevoked, rotated: ofRotated });
    // Tampered with, it costs what any guess does: the MAC goes before KV.
    expectAlike(
      await refusals({
        "tampered revoked": ["former", tamperedSecret(former, 20)],
        "unknown name": ["nobody", guessedSecret()],
      }),
    );
  });
});
