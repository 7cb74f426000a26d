import { Buffer } from "node:buffer";
import { nameProblem } from "@messagepasser/protocol";
import type { SecretTimes } from "../credentials/credential-store.ts";
import { badRequest, type Problem } from "../problem.ts";

const maxBodyBytes = 4_096;
/** The longest that two secrets of a client may stand side by side. */
const maxOverlapS = 30 * 86_400;

/** The fields of a JSON object, or what is wrong with a body. Every field has to be one of those named. */
export async function fieldsIn(request: Request, names: readonly string[]): Promise<Map<string, unknown> | Problem> {
  const text = await textIn(request, maxBodyBytes);
  if (typeof text !== "string") return text;
  let body: unknown;
  try {
    body = JSON.parse(text === "" ? "{}" : text);
  } catch {
    return badRequest("The body is not JSON in UTF-8");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) return badRequest("The body is no JSON object");
  const fields = new Map<string, unknown>(Object.entries(body));
  if (["secret", "password"].some((name) => fields.has(name)))
    return badRequest(
      "Secrets are made by the router, so that none can be guessed: a password of your own can't be set",
    );
  const unknown = Array.from(fields.keys()).find((key) => !names.includes(key));
  return unknown === undefined ? fields : badRequest(`Unknown field ${JSON.stringify(unknown.slice(0, 40))}`);
}

/** The text of a body, or what is wrong with it. */
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

/** The client's name in a body's fields, or what is wrong with it. */
export function nameIn(fields: ReadonlyMap<string, unknown>): string | Problem {
  const name = fields.get("name");
  if (typeof name !== "string") return badRequest('The body must be an object with a "name", a text');
  const rule = nameProblem(name);
  return rule === undefined ? name : badRequest(`The client's name ${rule}`);
}

/** When a new secret expires, and how long the one before stands beside it; or what is wrong with that. */
export function timesIn(fields: ReadonlyMap<string, unknown>): SecretTimes | Problem {
  const [expiresAt, overlapS = 0] = ["expiresAt", "overlapS"].map((name) => fields.get(name));
  const expiresAtMs = expiresAt === undefined ? undefined : Date.parse(typeof expiresAt === "string" ? expiresAt : "");
  if (expiresAtMs !== undefined && !(expiresAtMs > Date.now()))
    return badRequest('"expiresAt" must be a time to come, as in "2030-01-31T12:00:00Z"');
  if (!Number.isInteger(overlapS) || (overlapS as number) < 0 || (overlapS as number) > maxOverlapS)
    return badRequest(`"overlapS" must be a whole number of seconds from 0 to ${maxOverlapS}`);
  return { expiresAtMs, overlapMs: (overlapS as number) * 1_000 };
}

/** Whether something is a problem rather than what was asked for. */
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
