import { Buffer } from "node:buffer";
import { newNameProblem, rfc3339Ms, routerLimits } from "@messagepasser/protocol";
import type { Validity } from "../credentials/credential-store.ts";
import { badRequest, ProblemError } from "../problem.ts";

/** The fields of a body's JSON object. @param names all fields that it may have @throws ProblemError */
export async function fieldsIn(request: Request, names: readonly string[]): Promise<Map<string, unknown>> {
  const text = await textIn(request, routerLimits.maxAdminBodyBytes);
  let body: unknown;
  try {
    body = JSON.parse(text === "" ? "{}" : text);
  } catch {
    throw bad("The body is not JSON in UTF-8");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw bad("The body is not a JSON object");
  const fields = new Map<string, unknown>(Object.entries(body));
  if (["secret", "password"].some((name) => fields.has(name)))
    throw bad("Secrets are made by the router, so that none can be guessed: a password of your own can't be set");
  const unknown = Array.from(fields.keys()).find((key) => !names.includes(key));
  if (unknown !== undefined) throw bad(`Unknown field ${JSON.stringify(unknown.slice(0, 40))}`);
  return fields;
}

/** A body's text. @throws ProblemError */
export async function textIn(request: Request, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > maxBytes)
      throw new ProblemError({ code: "too-large", detail: `The body must have at most ${maxBytes} bytes` });
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw bad("The body is not UTF-8");
  }
}

/** The new client's name in the fields of a body. @throws ProblemError */
export function nameIn(fields: ReadonlyMap<string, unknown>): string {
  const name = fields.get("name");
  if (typeof name !== "string") throw bad('The body must be an object with a "name", a string');
  const rule = newNameProblem(name);
  if (rule !== undefined) throw bad(`The client's name ${rule}`);
  return name;
}

/** The validity of a new secret in the fields of a body, as `SecretTimes` has it. @throws ProblemError */
export function validityIn(fields: ReadonlyMap<string, unknown>): Validity {
  const [expiresAt, overlapS = 0] = ["expiresAt", "overlapS"].map((name) => fields.get(name));
  const expiresAtMs = typeof expiresAt === "string" ? rfc3339Ms(expiresAt) : undefined;
  if (expiresAt !== undefined && !(expiresAtMs !== undefined && expiresAtMs > Date.now()))
    throw bad('"expiresAt" must be a time in the future that exists, in RFC 3339: as in "2030-01-31T12:00:00Z"');
  if (!Number.isInteger(overlapS) || (overlapS as number) < 0 || (overlapS as number) > routerLimits.maxOverlapS)
    throw bad(`"overlapS" must be a whole number of seconds from 0 to ${routerLimits.maxOverlapS}`);
  return { expiresAtMs, overlapMs: (overlapS as number) * 1_000 };
}

/** What a handler throws for a request that breaks a rule. @param detail names the rule */
export function bad(detail: string): ProblemError {
  return new ProblemError(badRequest(detail));
}
