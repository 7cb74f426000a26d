import { closeCodes } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { ScriptedRouter } from "../../../test/support/scripted-router.ts";
import type { LinkError } from "../errors.ts";
import type { SecretSource } from "./secret.ts";

// A session whose secret comes from a function. The router and the time are played.

/** How often a session has asked for a secret in this test. */
const asked = { times: 0 };

/** A session that has asked for its first secret, and what its status said. */
async function sessionWith(secret: SecretSource): Promise<{ router: ScriptedRouter; errors: LinkError[] }> {
  asked.times = 0;
  const counted = (): string | Promise<string> => {
    asked.times++;
    return typeof secret === "string" ? secret : secret();
  };
  const router = new ScriptedRouter(typeof secret === "string" ? secret : counted);
  const errors: LinkError[] = [];
  router.onStatus = (status) => {
    if (status.kind === "offline") errors.push(status.error);
  };
  await settled(router);
  return { router, errors };
}

/** Lets a function answer that waits for nothing. */
async function settled(router: ScriptedRouter): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await router.turn();
}

/** Lets time pass until the session asks for the next secret. */
async function nextDial(router: ScriptedRouter): Promise<void> {
  for (const before = asked.times; asked.times === before;) await router.advance(250);
  await settled(router);
}

const failure = (router: ScriptedRouter): Promise<unknown> => router.session.welcomed.catch((error: unknown) => error);

test.each([
  ["a function", (count: number) => `secret ${count}\n`],
  ["an async function", (count: number) => Promise.resolve(` secret ${count}`)],
])("each link is dialled with a fresh secret of %s, without white space around it", async (_, secret) => {
  let count = 0;
  const { router } = await sessionWith(() => secret(++count));
  router.welcome();
  for (let links = 0; links < 2; links++) {
    router.loseLink();
    await nextDial(router);
    router.welcome();
  }
  expect(router.secrets).toEqual(["secret 1", "secret 2", "secret 3"]);
});

const thrown = new Error("HTTP 503");

test.each<[string, () => unknown, string, unknown]>([
  ["throws", () => Promise.reject(thrown), "HTTP 503", thrown],
  // A string that is thrown may be the secret.
  ["throws no error", () => Promise.reject("mp_x"), "a value of type string was thrown", "mp_x"],
  ["gives no string", () => 7, "a value of type number is no string", expect.any(TypeError)],
  ["gives nothing", () => undefined, "a value of type undefined is no string", expect.any(TypeError)],
  ["gives an empty string", () => " \n", "the string is empty", expect.any(TypeError)],
])("a function for the secret that %s fails the attempt, and nothing is dialled", async (_, secret, what, cause) => {
  const { router } = await sessionWith(secret as () => string);
  expect(await failure(router)).toMatchObject({
    code: "no-secret",
    message: `Cannot connect to the router: no secret from its function: ${what}`,
    cause,
  });
  expect(((await failure(router)) as LinkError).shouldRetry()).toBe(true);
  expect(router.secrets).toEqual([]);
});

test("a function that never gives the secret fails the attempt within 10 s", async () => {
  const { router } = await sessionWith(() => new Promise<string>(() => undefined));
  await router.advance(9_999);
  expect(router.session.isOver).toBe(false);
  await router.advance(1);
  expect(await failure(router)).toMatchObject({
    code: "no-secret",
    message: "Cannot connect to the router: no secret from its function: no answer within 10 s",
  });
});

test("a client that was in asks a function that fails again, with growing pauses, and its status says so", async () => {
  let answer = (): string => "secret";
  const { router, errors } = await sessionWith(() => answer());
  router.welcome();
  answer = () => {
    throw thrown;
  };
  router.loseLink();
  for (let attempts = 0; attempts < 3; attempts++) await nextDial(router);
  answer = () => "other";
  await nextDial(router);
  router.welcome();
  expect(errors.map(({ code }) => code)).toEqual(["link-lost", "no-secret", "no-secret", "no-secret"]);
  expect(errors[1]?.cause).toBe(thrown);
  expect(router.secrets).toEqual(["secret", "other"]);
});

test("a client with a function replaces a secret that is refused or was revoked, once, and then ends", async () => {
  let count = 0;
  const { router, errors } = await sessionWith(() => `${++count}`);
  router.loseLink(closeCodes.unauthorized);
  await nextDial(router);
  router.welcome();
  router.loseLink(closeCodes.revoked);
  await nextDial(router);
  router.loseLink(closeCodes.unauthorized);
  await nextDial(router);
  router.loseLink(closeCodes.unauthorized);
  expect(await router.session.closed).toMatchObject({ code: "unauthorized" });
  expect(router.secrets).toEqual(["1", "2", "3", "4"]);
  expect(errors.map(({ code }) => code)).toEqual(["unauthorized", "revoked", "unauthorized"]);
});

test("a first attempt whose second secret meets no router fails, as it would with the first", async () => {
  const { router } = await sessionWith(() => "secret");
  router.loseLink(closeCodes.unauthorized);
  await nextDial(router);
  router.loseLink();
  expect(await failure(router)).toMatchObject({ code: "unreachable" });
});

test("a refused secret that is a string is final", async () => {
  const { router, errors } = await sessionWith("secret");
  router.loseLink(closeCodes.unauthorized);
  expect(await failure(router)).toMatchObject({ code: "unauthorized" });
  expect(errors).toEqual([]);
});

test("a client that is closed while its function is asked dials nothing, whatever the function answers", async () => {
  const answers = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  for (const [at, settle] of [() => answers[0]?.resolve("late"), () => answers[1]?.reject(thrown)].entries()) {
    const { router } = await sessionWith(() => (asked.times === 1 ? "first" : (answers[at]?.promise ?? "")));
    router.welcome();
    router.loseLink();
    await nextDial(router);
    router.session.bye();
    settle();
    await settled(router);
    expect(await router.session.closed).toBeUndefined();
    expect(router.secrets).toEqual(["first"]);
  }
});

test("a client that its function closes dials nothing", async () => {
  let close = (): void => undefined;
  const { router } = await sessionWith(() => {
    close();
    return "secret";
  });
  router.welcome();
  close = () => {
    router.session.bye();
  };
  router.loseLink();
  await nextDial(router);
  expect(await router.session.closed).toBeUndefined();
  expect(router.secrets).toEqual(["secret"]);
});

test("a client that gives up on a hanging function says that the function is to blame", async () => {
  const { router } = await sessionWith(() => new Promise<string>(() => undefined));
  router.session.drop("no answer within 500 ms");
  await expect(failure(router)).resolves.toMatchObject({
    code: "no-secret",
    message: "Cannot connect to the router: no secret from its function: no answer within 500 ms",
  });
});
