import { Buffer } from "node:buffer";
import { nameProblem, routerLimits } from "@messagepasser/protocol";
import type { Validity } from "../credentials/credential-store.ts";
import { badRequest, type Problem } from "../problem.ts";

/** The fields of a body's JSON object, or what is wrong with the body. @param names all fields that the object may have */
export async function fieldsIn(request: Request, names: readonly string[]): Promise<Map<string, unknown> | Problem> {
  const text = await textIn(request, routerLimits.maxAdminBodyBytes);
  if (typeof text !== "string") return text;
  let body: unknown;
  try {
    body = JSON.parse(text === "" ? "{}" : text);
  } catch {
    return badRequest("The body is not JSON in UTF-8");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return badRequest("The body is not a JSON object");
  const fields = new Map<string, unknown>(Object.entries(body));
  if (["secret", "password"].some((name) => fields.has(name)))
    return badRequest(
      "Secrets are made by the router, so that none can be guessed: a password of your own can't be set",
    );
  const unknown = Array.from(fields.keys()).find((key) => !names.includes(key));
  return unknown === undefined ? fields : badRequest(`Unknown field ${JSON.stringify(unknown.slice(0, 40))}`);
}

/** A body's text, or what is wrong with the body. */
export async function textIn(request: Request, maxBytes: number): Promise<string | Problem> {
  const bytes = await limitedBytes(request, maxBytes);
  if (bytes === undefined) {
    return { code: "too-large", detail: `The body must have at most ${maxBytes} bytes` };
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return badRequest("The body is not UTF-8");
  }
}

/** The client's name in the fields of a body, or what is wrong with the name. */
export function nameIn(fields: ReadonlyMap<string, unknown>): string | Problem {
  const name = fields.get("name");
  if (typeof name !== "string") return badRequest('The body must be an object with a "name", a string');
  const rule = nameProblem(name);
  return rule === undefined ? name : badRequest(`The client's name ${rule}`);
}

/** The validity of a new secret in the fields of a body, as `SecretTimes` has it, or what is wrong with it. */
export function validityIn(fields: ReadonlyMap<string, unknown>): Validity | Problem {
  const [expiresAt, overlapS = 0] = ["expiresAt", "overlapS"].map((name) => fields.get(name));
  const expiresAtMs = expiresAt === undefined ? undefined : Date.parse(typeof expiresAt === "string" ? expiresAt : "");
  if (expiresAtMs !== undefined && !(expiresAtMs > Date.now()))
    return badRequest('"expiresAt" must be a future time, as in "2030-01-31T12:00:00Z"');
  if (!Number.isInteger(overlapS) || (overlapS as number) < 0 || (overlapS as number) > routerLimits.maxOverlapS)
    return badRequest(`"overlapS" must be a whole number of seconds from 0 to ${routerLimits.maxOverlapS}`);
  return { expiresAtMs, overlapMs: (overlapS as number) * 1_000 };
}

/** Whether a value is a problem. */
export function isProblem(value: object | string): value is Problem {
  return typeof value === "object" && "code" in value && "detail" in value;
}

async function limitedBytes(request: Request, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
