// A room for two on PartyServer: what comes from one goes to the other, as its documentation does it.
import { type Connection, routePartykitRequest, Server, type WSMessage } from "partyserver";

interface PartyEnv {
  readonly Relay: DurableObjectNamespace<Relay>;
}

export class Relay extends Server<PartyEnv> {
  override onMessage(connection: Connection, message: WSMessage): void {
    this.broadcast(message, [connection.id]);
  }
}

export default {
  fetch: async (request: Request, env: PartyEnv): Promise<Response> =>
    (await routePartykitRequest(request, { Relay: env.Relay })) ?? new Response("Not Found", { status: 404 }),
};
