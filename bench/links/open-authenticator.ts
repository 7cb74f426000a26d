import type { Authenticator } from "../../src/entrance/authenticator.ts";

/** Takes everybody at their word: what a router costs that asks nobody. */
export function authenticatorOf(): Authenticator {
  return { authenticate: ({ realm, name }) => Promise.resolve({ realm, name }) };
}
