import { type Format, formatOf, formats } from "@messagepasser/protocol/formats";
import { badRequest, ProblemError, problemResponse } from "../problem.ts";
import { busyIn, movedIn, upgradeRequest } from "../realm/admission.ts";
import { offeredSubprotocols, ticketIn } from "./claim.ts";
import { admissionIn, askObject, type EntranceContext, instanceIn, realmIn, refusalOf, sessionIn } from "./sign-in.ts";

/** `GET /connect/:realm?session=…`: admits a client, or says why not. */
export async function connect(context: EntranceContext): Promise<Response> {
  if (context.req.header("upgrade")?.toLowerCase() !== "websocket") {
    const detail = "This address takes WebSocket upgrades only: connect to it with a MessagePasser client";
    return problemResponse({ code: "upgrade-required", detail }, { upgrade: "websocket" });
  }
  try {
    return await admit(context);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const challenge = { "www-authenticate": 'Basic realm="MessagePasser", charset="UTF-8"' };
    return problemResponse(error.problem, error.problem.code === "unauthorized" ? challenge : {});
  }
}

async function admit(context: EntranceContext): Promise<Response> {
  const { env, req } = context;
  const realm = realmIn(context);
  const session = sessionIn(context);
  const instance = instanceIn(context);
  const offered = offeredSubprotocols(req.raw);
  const format = chosenFormat(offered);
  if (format === undefined) {
    const known = formats.map(({ subprotocol }) => subprotocol).join(", ");
    throw new ProblemError(badRequest(`Offer one of these subprotocols: ${known}`));
  }
  const admission = await admissionIn(context, realm, ticketIn(offered));
  const upgrade = {
    admission,
    session: session ?? crypto.randomUUID().replaceAll("-", ""),
    instance,
    // A client of a by-name format can't tell a new link from the one before, so it can't resume.
    resumes: session !== undefined && format.addressing === "address",
    format: format.subprotocol,
  };
  const response = await askObject(env, admission, async (object, shards) => {
    const answer = await object.fetch(upgradeRequest(upgrade, shards));
    return movedIn(answer) ?? busyIn(answer) ?? answer;
  });
  if (response.status === 101) return response;
  throw await refusalOf(env, req.raw, admission);
}

/** The first offered format that the router has. */
function chosenFormat(offered: readonly string[]): Format | undefined {
  return offered.map(formatOf).find((format) => format !== undefined);
}
