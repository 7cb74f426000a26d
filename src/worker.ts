import { formats } from "@messagepasser/protocol/formats";
import { Hono } from "hono";
import { admin } from "./admin/routes.ts";
import { connect } from "./entrance/connect.ts";
import { allowTicket, ticket } from "./entrance/ticket.ts";
import type { Env } from "./env.ts";
import { ProblemError, problemResponse } from "./problem.ts";
import packageJson from "./package.json" with { type: "json" };

export { RouterObject } from "./router-object.ts";

// No middleware for upgrades: a Durable Object's response is immutable, and many middlewares change the response.
const app = new Hono<{ Bindings: Env }>()
  .get("/", (context) =>
    context.text("This is a MessagePasser router. Clients connect to /connect or /connect/REALM.\n"),
  )
  .get("/health", (context) => context.json({ status: "ok" }))
  .get("/version", (context) =>
    context.json({ version: packageJson.version, formats: formats.map(({ subprotocol }) => subprotocol) }),
  )
  .get("/connect", connect)
  .get("/connect/:realm", connect)
  .post("/ticket", ticket)
  .post("/ticket/:realm", ticket)
  .options("/ticket", allowTicket)
  .options("/ticket/:realm", allowTicket)
  .route("/admin/v1", admin)
  .notFound((context) => problemResponse({ code: "not-found", detail: `Nothing is at ${context.req.path}` }))
  .onError((error) => {
    if (error instanceof ProblemError) return problemResponse(error.problem);
    console.error("Cannot answer a request", error);
    return problemResponse({ code: "internal", detail: "The router failed: try again" });
  });

export default app;
