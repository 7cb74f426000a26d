import { limits, routerLimits } from "@messagepasser/protocol";
import { afterEach, expect, test } from "vitest";
import { dataFrame, openTo } from "../support/batches.ts";
import { newSession } from "../support/credentials.ts";
import { rawLink } from "../sockets/raw-links.ts";
import { invite } from "./forge.ts";
import { attemptAs } from "./raw-http.ts";
import { underAttack } from "./victims.ts";

// Clients that make the router hold memory, alone or as many guests of one host.

// The edge would stop most of this already.
const victims = underAttack(() => ({ connectsPer10s: 1_000_000 }));
type Link = Awaited<ReturnType<typeof rawLink>>;
const links: Link[] = [];

afterEach(() => {
  for (const { socket } of links.splice(0)) socket.terminate();
});

/** A link that reads nothing, not even the close of the router. */
async function deafLink(name: string, secret?: string, session?: string): Promise<Link> {
  const secretOf = (): Promise<string> => (secret === undefined ? victims.secretOf(name) : Promise.resolve(secret));
  const link = await rawLink({ router: victims.router, secretOf }, name, session);
  links.push(link);
  link.socket.pause();
  return link;
}

test("a client that asks for much, reads nothing and comes again, over and over, ends no link of others", async () => {
  for (let round = 0; round < 6; round++) {
    const link = await deafLink("mallory");
    const opens = Array.from({ length: 20 }, (_, at) =>
      openTo("$source", { connection: at + 1, protocol: "16x65000", limit: 2_000_000 }),
    );
    link.toRouter(...opens);
    await victims.expectUnharmed();
  }
});

test("guests of one host that read nothing leave most of the memory to others", async () => {
  const host = await victims.secretOf("host");
  const chunk = dataFrame(1, 0, new Uint8Array(limits.maxPayloadBytes));
  for (let guest = 0; guest < 18; guest++) {
    const name = `guest-${guest}`;
    const link = await deafLink(`host/${name}`, invite("host", host, { guest: name }));
    link.toRouter(openTo("$echo", { limit: limits.maxOffset }));
    for (let count = 0; count < 70; count++) link.say(0xffff_ff00, chunk);
    await victims.expectUnharmed();
  }
  const link = await rawLink(victims, "newcomer");
  links.push(link);
  expect(link.welcome.budget).toBe(routerLimits.firstBudgetBytes);
});

test("a host has a bounded number of guests at once, however many are invited", async () => {
  const host = await victims.secretOf("crowded");
  const session = newSession();
  const inviteGuest = (at: number): [name: string, secret: string] => {
    const guest = `guest-${at}`;
    return [`crowded/${guest}`, invite("crowded", host, { guest })];
  };
  for (let at = 0; at < routerLimits.maxGuestsAtOnce; at++)
    await deafLink(...inviteGuest(at), at === 7 ? session : undefined);
  const { status } = await attemptAs(victims.router.url, ...inviteGuest(routerLimits.maxGuestsAtOnce));
  expect(status).toBe(503);
  // The link that a client lost is its own place: it comes back while the router still has the silent one.
  const link = await rawLink(
    { router: victims.router, secretOf: () => Promise.resolve(inviteGuest(7)[1]) },
    "crowded/guest-7",
    session,
  );
  links.push(link);
  expect(link.welcome.name).toBe("crowded/guest-7");
  links.pop()?.socket.terminate();
  await expect
    .poll(async () => (await attemptAs(victims.router.url, ...inviteGuest(routerLimits.maxGuestsAtOnce))).status)
    .toBe(101);
});
