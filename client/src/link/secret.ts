/** What a client logs in with: a secret, or a function that is asked for one at each dial. */
export type SecretSource = string | (() => string | Promise<string>);

/**
 * Asks a function for a secret, without the white space that files put behind it. Never before the caller has returned, so
 * that the function may call anything.
 *
 * @throws what the function throws, or a TypeError for anything but a secret. It doesn't quote what it was given.
 */
export async function askForSecret(source: () => unknown): Promise<string> {
  const secret = await Promise.resolve().then(source);
  if (typeof secret !== "string") throw new TypeError(`a value of type ${typeof secret} is no string`);
  const trimmed = secret.trim();
  if (trimmed === "") throw new TypeError("the string is empty");
  return trimmed;
}
