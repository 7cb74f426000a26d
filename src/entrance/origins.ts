import type { Env } from "../env.ts";
import type { Problem } from "../problem.ts";

/** Why a page may not connect, if it may not. Programs name no origin, and pages can't leave theirs out. */
export function problemOfOrigin(env: Env, request: Request): Problem | undefined {
  const origin = request.headers.get("origin");
  const allowed = (env.MP_ORIGINS ?? "").split(/\s+/).filter((text) => text !== "");
  if (origin === null || allowed.length === 0 || allowed.includes(origin)) return undefined;
  return {
    code: "origin-not-allowed",
    detail: "Pages of this origin may not connect: MP_ORIGINS lists those that may",
  };
}
